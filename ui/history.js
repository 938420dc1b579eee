// Undo and redo: what everything was before each change.

const UNDO_STEPS = 50, KEYS_MS = 800; // arrow keys that follow each other sooner are one step
const past = [], future = [];
const remembered = []; // { save, load } of what a step brings back beside the dog; each ability adds its own

// Fields that a step brings back. A browser changes a field before anyone hears of it, so what they showed of the dog
// that is there is noted here.
const FIELDS = ["#seed", "#temperature", "#morph", "#like"];
let fields = {};
const noteFields = () => { fields = Object.fromEntries(FIELDS.map((name) => [name, find(name).value])); };

function putFields(values) {
  for (const name of FIELDS) find(name).value = values[name];
  fields = values;
  showTemperature();
}

const snapshot = () => ({
  ...dog, c: [...dog.c], latent: { ...dog.latent, z: [...dog.latent.z] }, picture: find("#dog img").src,
  fields, others: remembered.map((part) => part.save()),
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
  putFields(state.fields);
  showReconstruction(dog.base);
  showPlace();
  remembered.forEach((part, i) => part.load(state.others[i]));
  showSteps();
  renderSliders();
  if (!state.settled) moved();
  say(sentence);
}

const undo = () => step(past, future, "Undone.");
const redo = () => step(future, past, "Redone.");

// A step that nobody meant: it can't be redone, and what could be before still can; a dog on its way still comes.
function takeBack(redoable) {
  const wish = latest;
  step(past, [], "");
  latest = wish;
  future.push(...redoable);
  showSteps();
}

function showSteps() {
  find("#undo").disabled = past.length === 0;
  find("#redo").disabled = future.length === 0;
  find("#reset").disabled = !changed();
}

// For a slider, or a point that is dragged: call the result before each change, and a whole drag is one step.
function oneStep(control) {
  let touched = false, held = false, redoable = [], edit, pause;
  const letGo = () => { touched = held = false; };
  control.addEventListener("pointerdown", () => { held = true; });
  control.addEventListener("pointerup", letGo);
  control.addEventListener("blur", letGo);
  control.addEventListener("pointercancel", () => { // the finger meant to scroll the page
    if (touched) takeBack(redoable);
    letGo();
  });
  return () => {
    if (!touched || edit !== dog.edit) { // of a drag whose moves are refused and undone, each is a step
      redoable = [...future];
      remember();
    }
    touched = true;
    edit = dog.edit;
    clearTimeout(pause);
    pause = setTimeout(() => { touched = held; }, KEYS_MS);
  };
}

document.addEventListener("keydown", (event) => {
  const z = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.altKey;
  const typing = event.target.matches?.("input:is([type=number], [type=search], [type=text]), textarea");
  if (!z || typing || !element.isConnected || element.offsetParent === null) return;
  event.preventDefault();
  event.shiftKey ? redo() : undo();
});
