// Undo and Redo: keeps the dog, and all that belongs to it, as it was before each change.

import { isShown, onClick, say } from "./page.js";
import { state, update } from "./store.js";

/** @import { State, Step } from "./store.js" */

const MAX_STEPS = 50;
// Arrow keys with shorter pauses between them are one step.
const KEYS_MS = 800;

/** @returns {Step} */
const snapshot = () => {
  const { dog, fields, locked, slots, favourites } = state;
  return { dog, fields, locked, slots, favourites };
};

/** Call this before each change that Undo is to take back. */
export function remember() {
  update({ past: [...state.past, snapshot()].slice(-MAX_STEPS), future: [] });
}

/**
 * Restores a step. The dog gets a new `edit`, so that answers for the former dog are ignored.
 * @param {Step} step
 * @param {Partial<State>} also further changes
 */
function goBackTo(step, also) {
  const dog = { ...step.dog, edit: state.dog.edit + 1 };
  update({ ...step, dog, sight: step.dog.base, playing: false, ...also });
}

export function undo() {
  const step = state.past.at(-1);
  if (!step) return;
  const wish = state.wish + 1; // so that a dog still being fetched is ignored
  goBackTo(step, { past: state.past.slice(0, -1), future: [...state.future, snapshot()], wish });
  say("Undone.");
}

export function redo() {
  const step = state.future.at(-1);
  if (!step) return;
  goBackTo(step, { past: [...state.past, snapshot()], future: state.future.slice(0, -1), wish: state.wish + 1 });
  say("Redone.");
}

/**
 * Takes back a step that the visitor did not mean. Redo does not bring it back, but keeps the steps that it had before.
 * A dog still being fetched is not ignored.
 * @param {Step[]} redoable the steps that Redo had
 */
function takeBack(redoable) {
  const step = state.past.at(-1);
  if (!step) return;
  goBackTo(step, { past: state.past.slice(0, -1), future: redoable });
  say("");
}

/** Makes the same change in all steps, so that Undo does not take it back. @param {(step: Step) => Step} amend */
export function amendSteps(amend) {
  update({ past: state.past.map(amend), future: state.future.map(amend) });
}

/**
 * Makes a whole drag of a control, or a run of arrow keys, one step. Call the returned function before each change.
 * @param {HTMLElement} control
 */
export function oneStep(control) {
  let touched = false, held = false, edit = 0, pause = 0;
  /** @type {Step[]} */
  let redoable = [];
  const letGo = () => { touched = held = false; };
  control.addEventListener("pointerdown", () => { held = true; });
  control.addEventListener("pointerup", letGo);
  control.addEventListener("blur", letGo);
  control.addEventListener("pointercancel", () => { // the finger is scrolling the page
    if (touched) takeBack(redoable);
    letGo();
  });
  return () => {
    // `edit` has changed if the server refused a move of this drag, which was then undone: the next one is a new step.
    if (!touched || edit !== state.dog.edit) {
      redoable = state.future;
      remember();
    }
    touched = true;
    edit = state.dog.edit;
    clearTimeout(pause);
    pause = window.setTimeout(() => { touched = held; }, KEYS_MS);
  };
}

export function start() {
  onClick("#undo", undo);
  onClick("#redo", redo);
  document.addEventListener("keydown", (event) => {
    const z = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.altKey;
    const typing = event.target instanceof Element
      && event.target.matches("input:is([type=number], [type=search], [type=text]), textarea");
    if (!z || typing || !isShown()) return;
    event.preventDefault();
    event.shiftKey ? redo() : undo();
  });
}
