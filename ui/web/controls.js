// The controls below the dog's picture: random dogs, the seed, the temperature, Reset.

import { NO_SEED, drawSeed, isSeed, randomSeed, reset } from "./dog.js";
import { button, field, onClick, part, say } from "./page.js";
import { changed, state, subscribe, update } from "./store.js";

/** @typedef {import("./store.js").Fields} Fields */

/** The inputs that show something of the dog which Undo brings back. */
const FIELDS = /** @type {(keyof Fields)[]} */ (["seed", "temperature", "morph", "like"]);

/** @param {Fields} [before] what they showed; without it all are written */
function showFields(before) {
  for (const name of FIELDS) {
    if (state.fields[name] !== before?.[name]) field(`#${name}`).value = state.fields[name];
  }
  showTemperature();
}

function showTemperature() {
  part(".grow output").textContent = Number(field("#temperature").value).toFixed(2);
}

function showSteps() {
  button("#undo").disabled = state.past.length === 0;
  button("#redo").disabled = state.future.length === 0;
  button("#reset").disabled = !changed();
}

export function start() {
  subscribe(["dog", "past", "future"], showSteps);
  subscribe(["fields"], (before) => showFields(state.playing ? before.fields : undefined)); // someone may be typing a seed

  onClick("#random", () => drawSeed(randomSeed()));
  field("#seed").addEventListener("change", () => {
    const typed = field("#seed").value;
    isSeed(typed) ? drawSeed(Number(typed)) : say(NO_SEED, true);
  });
  field("#temperature").addEventListener("input", showTemperature);
  field("#temperature").addEventListener("change", () => {
    if (state.dog.seed !== null) return drawSeed(state.dog.seed);
    update({ fields: { ...state.fields, temperature: field("#temperature").value } });
    say("The temperature counts for the next random dog.");
  });
  onClick("#reset", reset);
  showFields();
  showSteps();
}
