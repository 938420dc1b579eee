// Shows the visitor's cropped photo in place of the dog, to compare the two: while the dog or the key C is held down,
// or from one press of the button to the next.

import { button, image, isShown, onClick, part } from "./page.js";
import { cropOfDog as crop, subscribe } from "./store.js";

// A shorter touch may be the start of scrolling.
const FINGER_MS = 150;

let pinned = false, held = false;
let finger = 0; // timer

function show() {
  const shown = Boolean(crop()) && (pinned || held);
  part("#compared").hidden = !shown;
  if (shown) image("#compared").src = crop() ?? "";
  button("#compare").hidden = !crop();
  button("#compare").setAttribute("aria-pressed", `${pinned}`);
}

/** @param {boolean} whether */
function hold(whether) {
  clearTimeout(finger);
  held = whether;
  show();
}

/** @param {PointerEvent} event */
function press(event) {
  if (event.button !== 0 || !crop() || /** @type {HTMLElement} */ (event.target).closest("button")) return;
  if (event.pointerType === "touch") finger = window.setTimeout(() => hold(true), FINGER_MS);
  else hold(true);
}

export function start() {
  subscribe(["dog", "sight"], () => {
    if (!crop()) pinned = held = false;
    show();
  });
  const stage = part(".picture");
  stage.addEventListener("pointerdown", press);
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) stage.addEventListener(end, () => hold(false));
  for (const kind of ["dragstart", "contextmenu"]) {
    stage.addEventListener(kind, (event) => { if (crop() && (held || kind === "dragstart")) event.preventDefault(); });
  }
  onClick("#compare", () => {
    pinned = !pinned;
    show();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("input:not([type=range]), select, textarea");
    if (event.key.toLowerCase() !== "c" || event.ctrlKey || event.metaKey || event.altKey || typing || !isShown()) return;
    hold(true);
  });
  document.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "c") hold(false); });
  window.addEventListener("blur", () => hold(false));
}
