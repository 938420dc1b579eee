// The tab Sliders. It shows one of three sets: Looks, Breeds, or all 256 of the model's sliders, twelve at a time.
// These move principal directions or raw numbers.

import { breedHint, breedRows, openBreeds } from "./breeds.js";
import { moveNumber, resetNumber, whenSettled } from "./dog.js";
import { remember } from "./history.js";
import { fetchLooks, lookRows } from "./looks.js";
import { button, field, onClick, part, parts } from "./page.js";
import { sliderRow } from "./row.js";
import { numbers, state, subscribe, update } from "./store.js";

const SLIDERS = 12;
const ROW = `<div class="slider"><span class="name"></span><input type="range" min="-3" max="3" step="0.05"><output></output>
  <label class="lock" title="Random dogs keep this value"><input type="checkbox"><svg viewBox="0 0 16 16" aria-hidden="true">
    <path class="shackle" d="M5 7V5a3 3 0 0 1 6 0v2"/><rect x="3" y="7" width="10" height="7" rx="1.5"/></svg></label>
  <button type="button" title="Back to where this dog began">&#8634;</button></div>`;

/** @typedef {"looks" | "breeds" | "all"} Kind */
/** @type {Kind} */
let kind = "all";
/** @type {Kind} */
let asked = "all"; // the set that was last asked for
let page = 0;
let showsRaw = false; // whether the rows are of raw numbers
/** @type {{ row: HTMLElement, show: () => void }[]} */
let rows = [];

const isRaw = () => state.dog.space === "raw";

/** @param {number} index */
const sliderName = (index) => (isRaw() ? `number ${index + 1}` : state.facts.names[index]);

function renderSliders() {
  rows = kind === "looks" ? lookRows() : kind === "breeds" ? breedRows() : pageOfAll();
  part("#latents").replaceChildren(...rows.map(({ row }) => row));
  part("#all").hidden = kind !== "all";
  part("#breeds").hidden = kind !== "breeds";
  part("#keep-background").hidden = kind === "all";
  for (const one of parts("[data-kind]")) one.setAttribute("aria-pressed", `${one.dataset.kind === kind}`);
  if (kind !== "all") part(".hint").textContent = kind === "breeds" ? breedHint() : "";
}

// ---- All 256

/** Indexes of the sliders whose name contains all words of the filter, in the order shown. */
function order() {
  const all = isRaw() ? state.facts.raw_order : state.facts.names.map((_, i) => i);
  const words = field("#filter").value.trim().toLowerCase().split(/\s+/);
  return all.filter((index) => words.every((word) => sliderName(index).toLowerCase().includes(word)));
}

function pageOfAll() {
  const all = order();
  page = Math.max(0, Math.min(page, Math.ceil(all.length / SLIDERS) - 1));
  const first = page * SLIDERS, last = Math.min(all.length, first + SLIDERS);
  part("#page").textContent = all.length ? `${first + 1}–${last} of ${all.length}` : "none";
  button("#previous").disabled = page === 0;
  button("#next").disabled = last >= all.length;
  part("#directions").setAttribute("aria-pressed", `${!isRaw()}`);
  part("#raw").setAttribute("aria-pressed", `${isRaw()}`);
  part(".hint").textContent = !all.length ? "No slider has such a name. Empty the box to see all of them."
    : isRaw() ? "The 256 numbers themselves, the ones that carry most first. Most of them do little alone."
    : "Directions in which real dogs vary most, in standard deviations from the mean dog, strongest effect first.";
  return all.slice(first, last).map(numberRow);
}

/** A slider of one number, with its lock. @param {number} index */
function numberRow(index) {
  const name = sliderName(index);
  const made = sliderRow({
    row: ROW,
    name,
    value: () => numbers()[index],
    move: (value) => moveNumber(index, value),
    reset: () => resetNumber(index),
  });
  const element = (/** @type {string} */ selector) => /** @type {HTMLInputElement} */ (made.row.querySelector(selector));
  const box = element(".lock input");
  element(".name").textContent = name;
  if (!isRaw()) {
    const share = `${state.facts.share[index].toFixed(1)} % effect`;
    element(".name").append(Object.assign(document.createElement("small"), { textContent: share }));
  }
  box.setAttribute("aria-label", `Lock ${name}`);
  element(".lock").hidden = isRaw();
  box.addEventListener("change", () => {
    const locked = new Set(state.locked);
    box.checked ? locked.add(index) : locked.delete(index);
    remember();
    update({ locked });
  });
  const show = () => {
    made.show();
    box.checked = state.locked.has(index);
  };
  show();
  return { row: made.row, show };
}

/** @param {"directions" | "raw"} space */
async function chooseSpace(space) {
  await whenSettled(); // until then one kind of numbers is out of date
  update({ dog: { ...state.dog, space } });
}

/** @param {number} to */
function turnTo(to) {
  page = to;
  renderSliders();
}

// ---- Which of the three sets is shown

/** @param {Kind} next */
async function chooseKind(next) {
  asked = next;
  if (isRaw() && next !== "all") await chooseSpace("directions");
  const isThere = next !== "looks" || await fetchLooks();
  if (asked !== next) return; // another one was chosen since
  kind = isThere ? next : "all";
  showsRaw = isRaw();
  renderSliders();
  if (kind === "breeds") openBreeds(renderSliders);
}

export function start() {
  subscribe(["dog", "locked"], () => {
    if (isRaw() === showsRaw || kind !== "all") return rows.forEach((row) => row.show());
    showsRaw = isRaw();
    turnTo(0);
  });
  field("#filter").addEventListener("input", () => turnTo(0));
  onClick("#directions", () => chooseSpace("directions"));
  onClick("#raw", () => chooseSpace("raw"));
  onClick("#previous", () => turnTo(page - 1)); // disabled at either end
  onClick("#next", () => turnTo(page + 1));
  const { looks, breeds } = state.facts, has = { looks: looks.length > 0, breeds: breeds.length > 0, all: true };
  part("#kinds").hidden = !has.looks && !has.breeds;
  for (const one of parts("[data-kind]")) {
    const of = /** @type {Kind} */ (one.dataset.kind);
    one.hidden = !has[of];
    one.addEventListener("click", () => chooseKind(of));
  }
  chooseKind(has.looks ? "looks" : "all");
}
