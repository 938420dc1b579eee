// The slider set Looks: each slider changes one thing of the dog, such as its ears (model/latents/moves.py). Also moves
// the dog of a link along the Looks and breeds that the link names.

import { moveBack, moveDog, whenSettled } from "./dog.js";
import { along, standing } from "./math.js";
import { field, say } from "./page.js";
import { sliderRow } from "./row.js";
import { ask, toward, ways } from "./server.js";
import { state } from "./store.js";

/** @import { Way } from "./math.js" */

const ROW = `<div class="slider look"><span class="name"></span><input type="range" min="-3" max="3" step="0.05">
  <span class="high"></span><button type="button" title="Back to where this dog began">&#8634;</button></div>`;
// How far, at most, a link moves a dog along one way.
const MOST = 20;

/** @type {Promise<Way[] | null> | null} */
let asked = null;
/** @type {Way[] | null} */
let known = null; // the way of each Look

/** The ways of all Looks; null if the server did not answer. */
export async function fetchLooks() {
  asked ??= ask(ways()).then((answer) => answer && answer.ways);
  known = await asked;
  if (!known) asked = null; // the next call tries again
  return known;
}

const keepsBackground = () => field("#keep-background input").checked;

/** A slider that moves the dog along a way. @param {{ name: string, low: string, high: string, way: Way }} about */
export function wayRow({ name, low, high, way }) {
  const made = sliderRow({
    row: ROW,
    name: `${name}: ${low} to ${high}`,
    value: () => standing(state.dog.c, way),
    move: (to) => moveDog(along(state.dog.c, way, to, keepsBackground())),
    reset: () => moveBack(along(state.dog.c, way, standing(state.dog.base.c, way), keepsBackground())),
    say: (at) => (Math.abs(at) < 0.05 ? "in the middle" : `${Math.abs(at).toFixed(1)} toward ${at < 0 ? low : high}`),
  });
  const [label, end] = ["name", "high"].map((part) => /** @type {HTMLElement} */ (made.row.querySelector(`.${part}`)));
  label.append(Object.assign(document.createElement("b"), { textContent: name }), ` ${low}`);
  end.textContent = high;
  return made;
}

/** The sliders of all Looks, once they are fetched. */
export const lookRows = () => (known ?? []).map((way, k) => wayRow({ ...state.facts.looks[k], way }));

// ---- Links: ?dog=...&looks=ears:1.5,coat:-1&breed=beagle:2

/** Reads moves such as "ears:1.5,coat:-1": [name, how far] each. @param {URLSearchParams} params @param {string} key */
const readMoves = (params, key) => (params.get(key) ?? "").split(",").filter(Boolean).slice(0, 20)
  .map((one) => /** @type {[string, number]} */ ([one.split(":")[0].trim().slice(0, 64), Number(one.split(":")[1] ?? 1)]));

/**
 * Moves the dog of a link along the Looks and toward the breeds that the link names, and says which of them this model
 * does not have.
 * @param {string} query of the address @param {string} [problem] what is wrong with its dog; then nothing is moved
 */
export async function moveAsLinked(query, problem = "") {
  const params = new URLSearchParams(query), { looks, breeds } = state.facts;
  const wanted = [...readMoves(params, "looks"), ...readMoves(params, "breed")];
  const all = [...looks.map(({ name }) => name), ...breeds];
  const kept = wanted.filter(([name, far]) => !problem && all.includes(name) && Math.abs(far) <= MOST);
  const left = wanted.filter((one) => !kept.includes(one)).map(([name]) => `“${name}”`);
  await moveAlong(kept);
  if (left.length) say(`${problem} This model has no ${left.join(", ")}: left out.`.trim(), true);
  else if (problem) say(problem, true);
}

/** @param {[string, number][]} wanted names, and how far toward each */
async function moveAlong(wanted) {
  if (!wanted.length) return;
  const { looks, breeds } = state.facts, { edit } = state.dog, lookWays = await fetchLooks();
  const found = [];
  for (const [name] of wanted) { // one request after the other: a link may name twenty breeds
    found.push(breeds.includes(name) ? await ask(toward(name)) : lookWays?.[looks.findIndex((look) => look.name === name)]);
  }
  if (state.dog.edit !== edit) return; // another dog is shown by now
  let { c } = state.dog; // the visitor may have moved it meanwhile
  found.forEach((way, i) => {
    if (way) c = along(c, way, standing(c, way) + wanted[i][1]);
  });
  moveDog(c);
  await whenSettled(); // the next picture would clear a message shown earlier
}
