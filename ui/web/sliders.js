// The sliders: principal directions or raw numbers, twelve at a time; those of a filter; locked ones.

import { moveNumber, resetNumber, whenSettled } from "./dog.js";
import { oneStep, remember } from "./history.js";
import { build, button, field, onClick, part } from "./page.js";
import { numbers, state, subscribe, update } from "./store.js";

const SLIDERS = 12;
const ROW = `<div class="slider"><span class="name"></span><input type="range" min="-3" max="3" step="0.05"><output></output>
  <label class="lock" title="Random dogs keep this value"><input type="checkbox"><svg viewBox="0 0 16 16" aria-hidden="true">
    <path class="shackle" d="M5 7V5a3 3 0 0 1 6 0v2"/><rect x="3" y="7" width="10" height="7" rx="1.5"/></svg></label>
  <button type="button" title="Back to where this dog began">&#8634;</button></div>`;

let page = 0;
let showsRaw = false; // whether the rows are those of raw numbers
/** @type {{ show: () => void }[]} */
let rows = [];

const isRaw = () => state.dog.space === "raw";

/** @param {number} index */
const sliderName = (index) => (isRaw() ? `number ${index + 1}` : state.facts.names[index]);

/** Indexes of the sliders whose name holds every word of the filter, in the order in which they are shown. */
function order() {
  const all = isRaw() ? state.facts.raw_order : state.facts.names.map((_, i) => i);
  const words = field("#filter").value.trim().toLowerCase().split(/\s+/);
  return all.filter((index) => words.every((word) => sliderName(index).toLowerCase().includes(word)));
}

function renderSliders() {
  const all = order();
  page = Math.max(0, Math.min(page, Math.ceil(all.length / SLIDERS) - 1));
  const first = page * SLIDERS, last = Math.min(all.length, first + SLIDERS);
  const made = all.slice(first, last).map(sliderRow);
  rows = made;
  part("#latents").replaceChildren(...made.map(({ row }) => row));
  part("#page").textContent = all.length ? `${first + 1}–${last} of ${all.length}` : "none";
  button("#previous").disabled = page === 0;
  button("#next").disabled = last >= all.length;
  part("#directions").setAttribute("aria-pressed", `${!isRaw()}`);
  part("#raw").setAttribute("aria-pressed", `${isRaw()}`);
  part(".hint").textContent = !all.length ? "No slider has such a name. Empty the box to see all of them."
    : isRaw() ? "The 256 numbers themselves, the ones that carry most first. Most of them do little alone."
    : "Directions in which real dogs vary most, in standard deviations from the mean dog, strongest effect first.";
}

/** One slider with its name, lock and way back. @param {number} index */
function sliderRow(index) {
  const row = build(ROW), name = sliderName(index);
  const element = (/** @type {string} */ selector) => /** @type {HTMLInputElement} */ (row.querySelector(selector));
  const input = element("input"), lock = element(".lock"), box = element(".lock input"), back = element("button");
  element(".name").textContent = name;
  if (!isRaw()) element(".name").append(build(`<small>${state.facts.share[index].toFixed(1)} % effect</small>`));
  input.setAttribute("aria-label", name);
  back.setAttribute("aria-label", `Reset ${name}`);
  box.setAttribute("aria-label", `Lock ${name}`);
  lock.hidden = isRaw();
  const show = () => {
    const value = numbers()[index];
    input.value = `${value}`;
    element("output").textContent = value.toFixed(2);
    box.checked = state.locked.has(index);
  };
  listen(index, input, show);
  back.addEventListener("click", () => resetNumber(index));
  box.addEventListener("change", () => {
    const locked = new Set(state.locked);
    box.checked ? locked.add(index) : locked.delete(index);
    remember();
    update({ locked });
  });
  show();
  return { row, show };
}

/** @param {number} index @param {HTMLInputElement} input @param {() => void} show */
function listen(index, input, show) {
  const touch = oneStep(input);
  input.addEventListener("input", () => {
    if (state.dog.space === "map") return show(); // its numbers are not known yet: the answer is on the way
    touch();
    moveNumber(index, Number(input.value));
  });
  input.addEventListener("keydown", (event) => { // the mean dog's value, rather than the end of the track
    if (event.key !== "Home") return;
    event.preventDefault();
    input.value = "0";
    input.dispatchEvent(new Event("input"));
  });
}

/** @param {"directions" | "raw"} space */
async function chooseSpace(space) {
  await whenSettled(); // so that both kinds of numbers are those of the picture
  update({ dog: { ...state.dog, space } });
}

/** @param {number} to */
function turnTo(to) {
  page = to;
  renderSliders();
}

export function start() {
  subscribe(["dog", "locked"], () => {
    if (isRaw() === showsRaw) return rows.forEach((row) => row.show());
    showsRaw = isRaw();
    turnTo(0);
  });
  field("#filter").addEventListener("input", () => turnTo(0));
  onClick("#directions", () => chooseSpace("directions"));
  onClick("#raw", () => chooseSpace("raw"));
  onClick("#previous", () => turnTo(page - 1)); // at either end they are disabled
  onClick("#next", () => turnTo(page + 1));
  renderSliders();
}
