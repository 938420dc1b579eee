// Builds one slider of the dog: its name, its range, and a button that resets it.

import { oneStep } from "./history.js";
import { build } from "./page.js";
import { state } from "./store.js";

/**
 * @typedef {Object} Slider
 * @property {string} row its HTML: an input for the range, a button that resets it, and maybe an output
 * @property {string} name for screen readers
 * @property {() => number} value of the dog on the page
 * @property {(value: number) => void} move
 * @property {() => void} reset
 * @property {(value: number) => string} [say] the value in words
 */

const REACH = 3;

/** @param {Slider} slider @returns {{ row: HTMLElement, show: () => void }} */
export function sliderRow({ row: html, name, value, move, reset, say }) {
  const row = build(html), output = row.querySelector("output");
  const input = /** @type {HTMLInputElement} */ (row.querySelector("input[type=range]"));
  const back = /** @type {HTMLElement} */ (row.querySelector("button"));
  input.setAttribute("aria-label", name);
  back.setAttribute("aria-label", `Reset ${name}`);
  let edit = -1; // of the dog that the range was set for
  const show = () => {
    const at = value();
    stretch(input, at, edit !== state.dog.edit);
    edit = state.dog.edit;
    input.value = `${at}`;
    if (output) output.textContent = at.toFixed(2);
    if (say) input.setAttribute("aria-valuetext", say(at));
  };
  const touch = oneStep(input);
  input.addEventListener("input", () => {
    if (state.dog.space === "map") return show(); // the answer with its numbers is on the way
    touch();
    move(Number(input.value));
  });
  // Home sets the mean dog's value, not the lowest one.
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Home") return;
    event.preventDefault();
    input.value = "0";
    input.dispatchEvent(new Event("input"));
  });
  back.addEventListener("click", reset);
  show();
  return { row, show };
}

/**
 * Widens the range if the dog's value is outside it. It becomes narrow again only for another dog, so as not to change
 * during a drag. @param {HTMLInputElement} input @param {number} at
 */
function stretch(input, at, isOther = false) {
  const needed = Math.max(REACH, Math.ceil(Math.abs(at)));
  const reach = isOther ? needed : Math.max(needed, Number(input.max));
  input.min = `${-reach}`;
  input.max = `${reach}`;
}
