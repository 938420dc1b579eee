// The tab Map: a map of drawn dogs, on which similar ones are neighbours. A place between them shows a mixture, which
// the server makes.

import { moveOnMap, reset } from "./dog.js";
import { image, onClick, part, say } from "./page.js";
import { ask, atlas } from "./server.js";
import { dragPoint, putPoint } from "./square.js";
import { state, subscribe } from "./store.js";
import { whenOpened } from "./tabs.js";

function showPoint() {
  const { place } = state.dog, [across, down] = (place ?? [0, 0]).map((v) => Math.round(100 * v));
  putPoint(part("#map"), place, `${across} % across, ${down} % down`);
}

async function showMap() {
  showPoint();
  if (image("#map img").src) return;
  part("#map").setAttribute("aria-busy", "true");
  say("Drawing the map; the first visitor waits a little.");
  const answer = await ask(atlas());
  part("#map").removeAttribute("aria-busy");
  if (!answer) return;
  image("#map img").src = answer.picture;
  say("");
}

export function start() {
  whenOpened("map-panel", showMap);
  subscribe(["dog"], (before) => state.dog.place !== before.dog.place && showPoint());
  dragPoint(part("#map"), 1 / 24, () => state.dog.place, (x, y) => moveOnMap([x, y]));
  onClick("#reset-map", reset);
}
