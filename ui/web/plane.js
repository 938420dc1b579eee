// The tab Plane: a point moves the dog along two directions at once, over a faint grid of the dogs there.

import { moveDog, reset, whenSettled } from "./dog.js";
import { clip, planeGrid } from "./math.js";
import { field, onClick, part } from "./page.js";
import { ask, thumbnails } from "./server.js";
import { dragPoint, putPoint } from "./square.js";
import { state, subscribe } from "./store.js";
import { followDog } from "./tabs.js";

// REACH: standard deviations from the middle to the edge. GRID: dogs a row.
const REACH = 3, GRID = 5;
const AXES = { "#across": 0, "#up": 1 }; // the directions that both lists begin with
let shownFor = ""; // the axes and the dog that the grid was drawn for

/** Indexes of the directions across and up. */
const axes = () => [Number(field("#across").value), Number(field("#up").value)];

/** The place of this dog: x and y from 0 to 1, from the top left. */
function placeOfDog() {
  const { c } = state.dog, [across, up] = axes();
  return [clip((c[across] / REACH + 1) / 2), clip((1 - c[up] / REACH) / 2)];
}

function showPoint() {
  const said = axes().map((axis) => `${state.facts.names[axis]} ${state.dog.c[axis].toFixed(1)}`);
  putPoint(part("#plane"), placeOfDog(), said.join(", "));
}

async function showGrid() {
  await whenSettled();
  showPoint();
  const { c } = state.dog, [across, up] = axes();
  const wanted = JSON.stringify([across, up, c.filter((_, i) => i !== across && i !== up)]);
  if (wanted === shownFor) return;
  const answer = await ask(thumbnails(planeGrid(c, across, up, GRID, REACH)));
  if (!answer) return;
  shownFor = wanted;
  part("#plane .grid").replaceChildren(...answer.pictures.map((src) => Object.assign(new Image(), { src, alt: "" })));
}

/** @param {number} x @param {number} y */
function goThere(x, y) {
  if (state.dog.space === "map") return; // the answer with its numbers is on the way
  const c = [...state.dog.c], [across, up] = axes();
  c[up] = (1 - 2 * y) * REACH;
  c[across] = (2 * x - 1) * REACH;
  moveDog(c);
}

export function start() {
  for (const [axis, first] of Object.entries(AXES)) {
    field(axis).append(...state.facts.names.map((name, i) => new Option(name, `${i}`, i === first, i === first)));
    field(axis).addEventListener("change", showGrid);
  }
  dragPoint(part("#plane"), 0.25 / (2 * REACH), placeOfDog, goThere);
  followDog("plane-panel", showGrid);
  subscribe(["dog"], () => state.tab === "plane-panel" && showPoint());
  onClick("#reset-plane", () => {
    for (const [axis, first] of Object.entries(AXES)) field(axis).value = `${first}`;
    reset();
  });
}
