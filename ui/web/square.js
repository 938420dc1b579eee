// A square with a point that the visitor drags, for the tabs Plane and Map. If it is larger than the element that it
// lies in (the map on a phone), a finger on the square scrolls it, one on the point drags that, and a tap moves it
// there.

import { oneStep } from "./history.js";
import { clip } from "./math.js";
import { pressedBy } from "./page.js";

/**
 * Lets the point be moved by pointer and keys.
 * @param {HTMLElement} box
 * @param {number} step of an arrow key, as a share of the side
 * @param {() => number[] | null} now where the point is, x and y from 0 to 1 from the top left
 * @param {(x: number, y: number) => void} change called at every move
 */
export function dragPoint(box, step, now, change) {
  const touch = oneStep(box), pointer = pressedBy(box);
  const go = (/** @type {number} */ x, /** @type {number} */ y) => {
    touch();
    change(clip(x), clip(y));
  };
  const follow = (/** @type {MouseEvent} */ event) => {
    const { left, top, width, height } = box.getBoundingClientRect();
    go((event.clientX - left) / width, (event.clientY - top) / height);
  };
  box.addEventListener("pointerdown", (event) => {
    if (isPanned(box, event, pointer())) return;
    box.setPointerCapture(event.pointerId);
    follow(event);
  });
  box.addEventListener("click", (event) => { if (isPanned(box, event, pointer())) follow(event); });
  box.addEventListener("pointermove", (event) => { if (box.hasPointerCapture(event.pointerId)) follow(event); });
  box.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!dx && !dy && event.key !== "Home") return;
    event.preventDefault();
    const [x, y] = now() ?? [0.5, 0.5];
    event.key === "Home" ? go(0.5, 0.5) : go(x + dx * step, y + dy * step);
  });
}

/** Whether this touch scrolls the square. @param {HTMLElement} box @param {MouseEvent} event @param {string} pointer */
function isPanned(box, event, pointer) {
  const onPoint = event.target instanceof Element && event.target.closest(".point");
  return pointer === "touch" && !onPoint && box.offsetWidth > (box.parentElement?.clientWidth ?? Infinity);
}

/**
 * Shows the point at this place; hides it if there is none.
 * @param {HTMLElement} box
 * @param {number[] | null} place
 * @param {string} text the place in words, for screen readers
 */
export function putPoint(box, place, text) {
  const point = /** @type {HTMLElement} */ (box.querySelector(".point"));
  point.hidden = !place;
  box.setAttribute("aria-valuetext", place ? text : "nowhere");
  if (!place) return;
  point.style.left = `${100 * place[0]}%`;
  point.style.top = `${100 * place[1]}%`;
  box.setAttribute("aria-valuenow", `${Math.round(100 * place[0])}`);
}
