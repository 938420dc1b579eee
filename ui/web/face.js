// Shows on the photo the turned square that the model sees, and three dots on eyes and nose. If they were found in the
// wrong place, the visitor moves them by mouse, finger or arrow keys.

import { frameOf } from "./blend.js";
import { part, parts } from "./page.js";
import { look, sameSquare } from "./photo.js";
import { state, subscribe } from "./store.js";

/** @import { Known, Place } from "./store.js" */

// KEY_STEP: in widths of the photo. KEYS_WAIT_MS: from the last key to the request.
const KEY_STEP = 0.005, KEYS_WAIT_MS = 700;
const KEYS = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });

/** @type {Known | null} */
let photo = null; // the one whose dots are shown; null if the model does not use eyes and nose
/** @type {number[][]} */
let points = []; // in shares of the photo's width and height

function showFace() {
  const { sight } = state, has = sight?.file && !sight.caption && sight.place && sight.size;
  part("#square").hidden = !has;
  part("#photo").classList.toggle("framed", Boolean(has));
  photo = has && sight.landmarks?.length === 3 ? sight : null;
  for (const node of parts("#photo .dot, #photo .dots")) node.hidden = !photo;
  part("#photo .boxed").hidden = Boolean(photo);
  if (has) placeSquare(/** @type {Place} */ (sight.place), /** @type {number[]} */ (sight.size));
  points = photo?.landmarks ?? [];
  points.forEach(placeDot);
}

/** @param {Place} place @param {number[]} size */
function placeSquare({ centre, side, angle }, [width, height]) {
  const { style } = part("#square"), percent = (/** @type {number} */ share) => `${100 * share}%`;
  style.left = percent((centre[0] - side / 2) / width);
  style.top = percent((centre[1] - side / 2) / height);
  style.width = percent(side / width);
  style.height = percent(side / height);
  style.transform = `rotate(${angle}rad)`;
}

/** @param {number[]} point @param {number} index */
function placeDot([x, y], index) {
  const { style } = parts("#photo .dot")[index];
  style.left = `${100 * x}%`;
  style.top = `${100 * y}%`;
}

/** @param {number} index @param {number} x @param {number} y */
function moveDot(index, x, y) {
  if (!photo?.size) return;
  const within = (/** @type {number} */ v) => Math.min(1, Math.max(0, v));
  points = points.map((point, i) => (i === index ? [within(x), within(y)] : point));
  placeDot(points[index], index);
  const [width, height] = photo.size, frame = frameOf(points.map(([u, v]) => [u * width, v * height]));
  if (frame) placeSquare(frame, photo.size);
}

/** Asks the server to cut the photo by these dots. If it refuses them, the dots go back. */
async function takeFace() {
  if (!photo) return;
  const looked = photo;
  await look(looked, { landmarks: points });
  if (state.sight === looked) showFace();
}

/** @param {HTMLElement} dot @param {number} index */
function letDrag(dot, index) {
  let keysRest = 0, moved = false;
  dot.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    if (event.button !== 0) return;
    dot.setPointerCapture(event.pointerId);
    moved = false;
  });
  dot.addEventListener("pointermove", (event) => {
    if (!dot.hasPointerCapture(event.pointerId)) return;
    const { left, top, width, height } = part("#photo .frame").getBoundingClientRect();
    moved = true;
    moveDot(index, (event.clientX - left) / width, (event.clientY - top) / height);
  });
  dot.addEventListener("pointerup", () => { if (moved) takeFace(); });
  dot.addEventListener("pointercancel", showFace);
  dot.addEventListener("keydown", (event) => {
    const [right, down] = KEYS[event.key] ?? [];
    if (right === undefined || !photo) return;
    event.preventDefault();
    const [x, y] = points[index];
    moveDot(index, x + KEY_STEP * right, y + KEY_STEP * (photo.ratio ?? 1) * down);
    clearTimeout(keysRest);
    keysRest = window.setTimeout(takeFace, KEYS_WAIT_MS);
  });
}

export function start() {
  subscribe(["sight"], (before) => { if (!sameSquare(state.sight, before.sight)) showFace(); });
  parts("#photo .dot").forEach(letDrag);
  showFace();
}
