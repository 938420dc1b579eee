// The controls of random dogs (button, seed, and the temperature, which says how odd they are), Undo, Redo and Reset.

import { NO_SEED, drawSeed, isSeed, randomSeed, reset } from "./dog.js";
import { button, field, onClick, part, say } from "./page.js";
import { changed, seedOfDog, state, subscribe, update } from "./store.js";

/** @typedef {import("./store.js").Fields} Fields */

/** Inputs whose values Undo restores, besides the seed. */
const FIELDS = /** @type {(keyof Fields)[]} */ (["temperature", "morph", "like"]);
let shownSeed = "";

/** @param {Fields} [before] the former values: only what differs from them is written */
function showFields(before) {
  for (const name of FIELDS) {
    if (state.fields[name] !== before?.[name]) field(`#${name}`).value = state.fields[name];
  }
  showSeed();
  showTemperature();
}

/** Shows the seed that draws the dog, or nothing if none does. */
function showSeed() {
  const shown = `${seedOfDog() ?? ""}`;
  if (shown !== shownSeed) field("#seed").value = shownSeed = shown; // else the visitor may be typing
}

function showTemperature() {
  part("#twelve output").textContent = Number(field("#temperature").value).toFixed(2);
}

function showSteps() {
  button("#undo").disabled = state.past.length === 0;
  button("#redo").disabled = state.future.length === 0;
  button("#reset").disabled = !changed();
}

export function start() {
  subscribe(["dog", "past", "future"], showSteps);
  subscribe(["dog"], showSeed);
  subscribe(["fields"], (before) => {
    // So that showSeed replaces a seed that was typed but not drawn.
    if (!state.playing) shownSeed = field("#seed").value;
    showFields(state.playing ? before.fields : undefined);
  });

  onClick("#random", () => drawSeed(randomSeed()));
  field("#seed").addEventListener("change", () => {
    const typed = field("#seed").value;
    isSeed(typed) ? drawSeed(Number(typed)) : say(NO_SEED, true);
  });
  field("#temperature").addEventListener("input", showTemperature);
  field("#temperature").addEventListener("change", () => {
    const seed = seedOfDog();
    if (seed !== null) return drawSeed(seed);
    update({ fields: { ...state.fields, temperature: field("#temperature").value } });
    say("That counts for the next random dogs.");
  });
  onClick("#reset", reset);
  showFields();
  showSteps();
}
