// Undo and Redo: what the dog, and all that belongs to it, was before each change.

import { isShown, onClick, say } from "./page.js";
import { state, update } from "./store.js";

/** @import { State, Step } from "./store.js" */

const MAX_STEPS = 50;
const KEYS_MS = 800; // arrow keys that follow each other sooner are one step

/** @returns {Step} */
const snapshot = () => {
  const { dog, fields, locked, slots, favourites } = state;
  return { dog, fields, locked, slots, favourites };
};

/** To be called before each change that Undo shall take back. */
export function remember() {
  update({ past: [...state.past, snapshot()].slice(-MAX_STEPS), future: [] });
}

/**
 * Goes back to a step. The dog gets a new `edit`, so that answers which are on the way are not taken for its own.
 * @param {Step} step
 * @param {Partial<State>} also what else changes
 */
function goBackTo(step, also) {
  const dog = { ...step.dog, edit: state.dog.edit + 1 };
  update({ ...step, dog, sight: step.dog.base, playing: false, ...also });
}

export function undo() {
  const step = state.past.at(-1);
  if (!step) return;
  const wish = state.wish + 1; // a dog that is still being fetched comes too late
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
 * Takes back a step that nobody meant. It can't be redone, what could be redone before still can, and a dog that is
 * being fetched still comes.
 * @param {Step[]} redoable
 */
function takeBack(redoable) {
  const step = state.past.at(-1);
  if (!step) return;
  goBackTo(step, { past: state.past.slice(0, -1), future: redoable });
  say("");
}

/** Changes something in all steps: it is not to be undone. @param {(step: Step) => Step} amend */
export function amendSteps(amend) {
  update({ past: state.past.map(amend), future: state.future.map(amend) });
}

/**
 * For a control that changes the dog many times while it is dragged: call the result before each change, and a whole
 * drag, or a run of arrow keys, is one step.
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
  control.addEventListener("pointercancel", () => { // the finger meant to scroll the page
    if (touched) takeBack(redoable);
    letGo();
  });
  return () => {
    if (!touched || edit !== state.dog.edit) { // where the server refuses the moves of a drag, each is undone by itself
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
