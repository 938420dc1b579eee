// Lets the visitor choose the head in the photo: by a button on each head that was found, or by a box that mouse,
// finger and keys move and resize. Beside it, a mouse draws a new box, a tap moves the box there, a swipe scrolls.

import { fromShares, middleSquare, sameBox, toShares, withinPhoto } from "./math.js";
import { build, image, onClick, part, pressedBy } from "./page.js";
import { look, sameSquare } from "./photo.js";
import { state, subscribe } from "./store.js";

/** @import { Head, Known, Square } from "./store.js" */
/** @typedef {{ x: number, y: number }} Point in widths of the photo */

// KEY_STEP: in widths of the photo. KEYS_WAIT_MS: from the last key to the request.
const KEY_STEP = 0.02, KEYS_WAIT_MS = 500;
// What each key adds to x, y and side, in KEY_STEPs.
const KEYS = /** @type {Record<string, number[]>} */ ({
  ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0], "+": [-0.5, -0.5, 1], "-": [0.5, 0.5, -1],
});
// In widths of the photo.
const SMALLEST_DRAG = 0.01, SMALLEST_SIDE = 0.03;

/** @type {Known | null} */
let photo = null; // the one that is shown
/** @type {Square} */
let box = { x: 0, y: 0, side: 0 };
/** @type {{ at: Point, before: Square, anchor: Point | null, moved: boolean } | null} */
let drag = null; // anchor: the corner that stays fixed; null if the whole box moves

const ratio = () => photo?.ratio ?? 1;

// ---- Showing photo, heads and box
function showPhoto() {
  photo = state.sight?.file && !state.sight.caption ? state.sight : null;
  part("#photo").hidden = !photo;
  if (!photo) return;
  image("#photo img").src = photo.photo ?? "";
  part("#photo").classList.toggle("unsure", !photo.box);
  part("#use-box").hidden = part("#anyway").hidden = Boolean(photo.box);
  const taken = photo.box ?? photo.guess?.box;
  placeBox(taken ? fromShares(taken, ratio()) : middleSquare(ratio()));
  showHeads(photo.heads ?? []);
}

/** Puts a numbered button on each head but the chosen one. @param {Head[]} heads */
function showHeads(heads) {
  const buttons = heads.map((head, i) => {
    const button = build(`<button type="button" aria-label="Head ${i + 1} of ${heads.length}: take this one">${i + 1}</button>`);
    place(button, fromShares(head.box, ratio()));
    button.addEventListener("pointerdown", (event) => event.stopPropagation());
    button.addEventListener("click", () => { if (photo) look(photo, { box: head.box }); });
    return button;
  });
  part("#photo .heads").replaceChildren(...buttons.filter((_, i) => !sameBox(heads[i].box, photo?.box)));
}

/** @param {HTMLElement} node @param {Square} square */
function place(node, { x, y, side }) {
  const percent = { left: x, top: y * ratio(), width: side, height: side * ratio() };
  for (const [name, share] of Object.entries(percent)) node.style.setProperty(name, `${100 * share}%`);
}

/** @param {Square} square */
function placeBox(square) {
  box = withinPhoto(square, ratio());
  place(part("#box"), box);
}

function takeBox() {
  if (photo) look(photo, { box: toShares(box, ratio()) });
}

// ---- Moving, resizing and drawing the box
/** @param {MouseEvent} event @returns {Point} */
function pointAt(event) {
  const { left, top, width } = part("#photo .frame").getBoundingClientRect();
  return { x: (event.clientX - left) / width, y: (event.clientY - top) / width };
}

/** @param {PointerEvent} event */
function beginDrag(event) {
  const target = /** @type {HTMLElement} */ (event.target), { corner } = target.dataset;
  const onBox = Boolean(target.closest("#box"));
  if (event.button !== 0 || (!onBox && event.pointerType !== "mouse")) return;
  event.preventDefault();
  part("#box").focus({ preventScroll: true });
  const at = pointAt(event);
  // While a corner is dragged, the opposite one stays fixed; a new box grows from the point where the drag began.
  const across = corner && { x: box.x + (corner.includes("w") ? box.side : 0), y: box.y + (corner.includes("n") ? box.side : 0) };
  drag = { at, before: box, anchor: across || (onBox ? null : at), moved: false };
  part("#photo .frame").setPointerCapture(event.pointerId);
}

/** @param {PointerEvent} event */
function goOnDragging(event) {
  if (!drag) return;
  const at = pointAt(event), right = at.x - drag.at.x, down = at.y - drag.at.y;
  if (!drag.moved && Math.hypot(right, down) < SMALLEST_DRAG) return;
  drag.moved = true;
  if (!drag.anchor) return placeBox({ ...drag.before, x: drag.before.x + right, y: drag.before.y + down });
  const { x, y } = drag.anchor, side = Math.max(Math.abs(at.x - x), Math.abs(at.y - y), SMALLEST_SIDE);
  placeBox({ x: at.x < x ? x - side : x, y: at.y < y ? y - side : y, side });
}

function endDrag() {
  const moved = drag?.moved;
  drag = null;
  if (moved) takeBox();
}

function cancelDrag() {
  if (drag) placeBox(drag.before);
  drag = null;
}

/** Moves the box to where a finger taps beside it. @param {MouseEvent} event @param {string} pointer */
function bringBox(event, pointer) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (pointer === "mouse" || target.closest("#box, button")) return;
  const { x, y } = pointAt(event);
  placeBox({ x: x - box.side / 2, y: y - box.side / 2, side: box.side });
  takeBox();
}

export function start() {
  subscribe(["sight"], (before) => { if (!sameSquare(state.sight, before.sight)) showPhoto(); });
  const frame = part("#photo .frame"), pointer = pressedBy(frame);
  frame.addEventListener("pointerdown", beginDrag);
  frame.addEventListener("pointermove", goOnDragging);
  frame.addEventListener("pointerup", endDrag);
  frame.addEventListener("pointercancel", cancelDrag);
  frame.addEventListener("click", (event) => bringBox(event, pointer()));
  let keysRest = 0;
  part("#box").addEventListener("keydown", (event) => {
    const [right, down, larger] = KEYS[event.key] ?? [];
    if (right === undefined) return;
    event.preventDefault();
    placeBox({ x: box.x + KEY_STEP * right, y: box.y + KEY_STEP * down, side: box.side + KEY_STEP * larger });
    clearTimeout(keysRest);
    keysRest = window.setTimeout(takeBox, KEYS_WAIT_MS);
  });
  onClick("#use-box", takeBox);
  showPhoto(); // one may be there already
}
