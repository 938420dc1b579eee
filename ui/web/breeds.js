// The slider set Breeds: the visitor chooses a breed by its name or picture, and a slider moves the dog toward it. Also
// the line under the dog that names the breeds a classifier sees in it.

import { wayRow } from "./looks.js";
import { build, field, part } from "./page.js";
import { ask, seeBreeds, toward } from "./server.js";
import { state, subscribe } from "./store.js";

/** @import { Way } from "./math.js" */
/** @import { State } from "./store.js" */

// Time until a picture that a busy server did not draw is fetched again.
const RETRY_MS = 3000;
// How long a dog rests before its breeds are asked for.
const CALM_MS = 400;

let chosen = "";
/** @type {Way | null} */
let way = null;

/** The chosen breed's slider. */
export const breedRows = () => (way ? [wayRow({ name: chosen, low: "less", high: "more", way })] : []);

export const breedHint = () => (chosen ? `Move the slider to make this dog more like a ${chosen}, or less.`
  : "Choose a breed; then a slider leads toward it. The pictures were drawn by the model.");

/** @param {string} breed @param {Way | null} found null until it is fetched @param {() => void} show redraws the sliders */
function setChosen(breed, found, show) {
  chosen = breed;
  way = found;
  for (const one of part(".breeds").children) one.setAttribute("aria-pressed", `${one.textContent === chosen}`);
  show();
}

/** @param {string} breed @param {() => void} show redraws the sliders */
async function choose(breed, show) {
  setChosen(breed, null, show);
  const answer = await ask(toward(breed));
  if (chosen === breed) setChosen(answer ? breed : "", answer, show);
}

/** @param {string} breed @param {number} k @param {() => void} show */
function tile(breed, k, show) {
  const made = build(`<button type="button" aria-pressed="false"><img loading="lazy" alt="" width="96" height="96"><span></span></button>`);
  const image = /** @type {HTMLImageElement} */ (made.querySelector("img"));
  image.src = `breeds/${state.facts.weights}/${k}.webp`;
  image.addEventListener("error", () => setTimeout(() => { image.src = `${image.src}?again`; }, RETRY_MS), { once: true });
  /** @type {HTMLElement} */ (made.querySelector("span")).textContent = breed;
  made.addEventListener("click", () => choose(breed, show));
  return made;
}

function search() {
  const words = field("#breed-search").value.trim().toLowerCase().split(/\s+/), { breeds } = state.facts;
  let found = 0;
  [...part(".breeds").children].forEach((node, k) => {
    const fits = words.every((word) => breeds[k].toLowerCase().includes(word));
    /** @type {HTMLElement} */ (node).hidden = !fits;
    found += fits ? 1 : 0;
  });
  const examples = ["beagle", "golden retriever", "pug"].filter((name) => breeds.includes(name)).join(", ");
  part("#breeds .note").textContent = found ? ""
    : `No breed here has such a name. There are ${breeds.length}, such as ${examples}. Empty the box to see all of them.`;
}

/** Fills the list of breeds when it is first shown. @param {() => void} show redraws the sliders */
export function openBreeds(show) {
  if (part(".breeds").children.length) return;
  part(".breeds").replaceChildren(...state.facts.breeds.map((breed, k) => tile(breed, k, show)));
  field("#breed-search").addEventListener("input", search);
}

// ---- The breeds seen in the dog. They are asked for only when it rests, so as not to slow down a drag.

let calm = 0;
/** @type {number[] | null} */
let seen = null; // the coordinates that the line is about
/** @type {State["dog"]["base"] | null} */
let about = null; // the dog that it is about, before it was moved

async function look() {
  const { c } = state.dog;
  const answer = await seeBreeds(c).catch(() => null); // then the line is empty until the next dog
  if (c !== state.dog.c) return;
  part("#sees").removeAttribute("aria-busy");
  seen = answer?.breeds ? c : null;
  const told = answer?.breeds?.map(({ breed, share }) => `${Math.round(100 * share)} % ${breed}`);
  part("#sees").textContent = told ? `Lite0 sees ${told.join(", ")}` : "";
}

function lookSoon() {
  clearTimeout(calm);
  if (about !== state.dog.base) {
    part("#sees").textContent = "";
    [about, seen] = [state.dog.base, null];
  }
  if (state.dog.c === seen) return part("#sees").removeAttribute("aria-busy");
  part("#sees").setAttribute("aria-busy", "true");
  if (state.dog.settled) calm = window.setTimeout(look, CALM_MS);
}

export function start() {
  if (!state.facts.breeds.length) return;
  part("#sees").hidden = false;
  subscribe(["dog"], lookSoon);
  lookSoon();
}
