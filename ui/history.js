// Undo and redo: what everything was before each change.

const UNDO_STEPS = 50, KEYS_MS = 800; // arrow keys that follow each other sooner are one step
const past = [], future = [];
const remembered = []; // { save, load } of what a step brings back beside the dog; each ability adds its own

const snapshot = () => ({
  ...dog, c: [...dog.c], latent: { ...dog.latent, z: [...dog.latent.z] }, picture: find("#dog img").src,
  seedField: find("#seed").value, temperatureField: find("#temperature").value,
  photo: find("#reconstruction").hidden ? null : find("#reconstruction").answer,
  others: remembered.map((part) => part.save()),
});

function remember() {
  if (!dog.base) return;
  past.push(snapshot());
  if (past.length > UNDO_STEPS) past.shift();
  future.length = 0;
  showSteps();
}

function step(from, to, sentence) {
  const state = from.pop();
  if (!state) return;
  to.push(snapshot());
  latest++; // a dog that is still being fetched comes too late
  setSpace(state.space);
  restore(state);
  for (const key of ["base", "seed", "temperature", "place"]) dog[key] = state[key];
  find("#seed").value = state.seedField;
  find("#temperature").value = state.temperatureField;
  showTemperature();
  showReconstruction(state.photo);
  remembered.forEach((part, i) => part.load(state.others[i]));
  showSteps();
  renderSliders();
  if (!state.settled) moved();
  say(sentence);
}

const undo = () => step(past, future, "Undone.");
const redo = () => step(future, past, "Redone.");

function showSteps() {
  find("#undo").disabled = past.length === 0;
  find("#redo").disabled = future.length === 0;
  find("#reset").disabled = !changed();
}

// For a slider, or a point that is dragged: call the result before each change, and a whole drag is one step.
function oneStep(control) {
  let touched = false, held = false, edit, pause;
  const letGo = () => { touched = held = false; };
  control.addEventListener("pointerdown", () => { held = true; });
  control.addEventListener("pointerup", letGo);
  control.addEventListener("blur", letGo);
  control.addEventListener("pointercancel", () => { // the finger meant to scroll the page
    if (touched) undo();
    letGo();
  });
  return () => {
    if (!touched || edit !== dog.edit) remember(); // of a drag whose moves are refused and undone, each is a step
    touched = true;
    edit = dog.edit;
    clearTimeout(pause);
    pause = setTimeout(() => { touched = held; }, KEYS_MS);
  };
}

document.addEventListener("keydown", (event) => {
  const z = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.altKey;
  const typing = event.target.matches?.("input:not([type=range]), textarea, select");
  if (!z || typing || !element.isConnected || element.offsetParent === null) return;
  event.preventDefault();
  event.shiftKey ? redo() : undo();
});
