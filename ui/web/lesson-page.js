// What all parts of the lesson use: functions that find elements, repeat requests until they are answered, and draw
// clouds of dots and curves.

import { state } from "./store.js";

/** @import { Failure } from "./server.js" */

// From the middle of a cloud to its edge, in standard deviations of the bell curve.
export const EDGE = 4.5;

export const TROUBLE = "The server does not answer just now; the page tries again.", RETRY_MS = 2000;

/** @type {HTMLElement} */
let lesson;

/** @param {HTMLElement} element */
export const attach = (element) => { lesson = element; };

/** The visitor's photo as the models see it; "" for the example dog, which also serves if the photo has no dog in it. */
export const chosen = () => (state.sight && !state.sight.crop ? "" : state.crop);

/** A function that finds an element in a part of the lesson. @param {string} id @returns {(selector: string) => any} */
export const inside = (id) => (selector) => lesson.querySelector(`#${id} ${selector}`);

/** @param {string} id @param {string} selector @returns {HTMLElement[]} */
export const allInside = (id, selector) => [...lesson.querySelectorAll(`#${id} ${selector}`)].map((node) => /** @type {HTMLElement} */ (node));

/** Shows a message at the top of the window. @param {string} text */
export function say(text) {
  const message = /** @type {HTMLElement} */ (lesson.querySelector("#lesson-message"));
  if (message.textContent !== text) message.textContent = text;
}

/**
 * Repeats a call until the server answers it. Null if that is an error, which is shown, or no longer wanted.
 * @template {Failure} T
 * @param {() => Promise<T>} call
 * @param {() => boolean} [isWanted]
 * @returns {Promise<T | null>}
 */
export async function insist(call, isWanted = () => true) {
  while (isWanted()) {
    const answer = await call().catch(() => /** @type {T} */ ({ error: TROUBLE, busy: true }));
    if (!isWanted()) break;
    say(answer.error ?? "");
    if (!answer.busy) return answer.error || answer.dropped ? null : answer;
    await new Promise((wait) => setTimeout(wait, RETRY_MS));
  }
  return null;
}

/**
 * Makes a function that fetches and shows what a part needs for the visitor's photo, or for the example dog.
 * @template {Failure} T
 * @param {(photo: Blob | null) => Promise<T>} call
 * @param {(answer: T) => void} show
 * @returns {() => Promise<void>}
 */
export function ofPhoto(call, show) {
  let asked = 0; // counts calls, so that only the latest one's answer is shown
  return async () => {
    const mine = ++asked;
    const photo = chosen() ? await (await fetch(chosen())).blob() : null;
    const answer = await insist(() => call(photo), () => mine === asked);
    if (answer) show(answer);
  };
}

/** Enables the controls of a part, which are disabled until there is something to show. @param {string} id */
export const enable = (id) => allInside(id, "[disabled]").forEach((node) => node.removeAttribute("disabled"));

/** @param {HTMLElement} row @param {string[]} pictures @param {string} name */
export function showRow(row, pictures, name) {
  const images = [...row.querySelectorAll("img")];
  if (images.length !== pictures.length) {
    row.replaceChildren(...pictures.map((src, i) => Object.assign(new Image(), { src, alt: `${name} ${i + 1}` })));
  } else images.forEach((image, i) => Object.assign(image, { src: pictures[i], alt: `${name} ${i + 1}` }));
}

/** Dots as one SVG path, with y pointing up. @param {number[][]} points @param {string} kind */
const dots = (points, kind) => `<path class="${kind}" d="${points.map(([x, y]) => `M${x} ${-y}h0`).join("")}"/>`;

/**
 * Draws real dogs as dots, the bell curve as rings at 1, 2 and 3 standard deviations, and random draws as large dots.
 * @param {SVGElement} svg
 * @param {number[][]} dogs
 * @param {number[][]} [drawn]
 */
export function drawCloud(svg, dogs, drawn = []) {
  svg.setAttribute("viewBox", `${-EDGE} ${-EDGE} ${2 * EDGE} ${2 * EDGE}`);
  const rings = [1, 2, 3].map((r) => `<circle class="ring" r="${r}"/>`).join("");
  svg.innerHTML = `${dots(dogs, "real")}${rings}${dots(drawn, "fresh")}<circle class="point" r="0.25" visibility="hidden"/>`;
}

const WIDTH = 320, HEIGHT = 150, MARGIN = 14;

/**
 * Draws two curves over the same steps, each scaled to its own range.
 * @param {SVGElement} svg
 * @param {{ dogs: number[], likeness: number[] }} curves by CSS class
 * @param {{ at?: number, marks?: [number, string][], name: string }} more at: the current step; marks: [step, label]
 */
export function drawCurves(svg, curves, { at, marks = [], name }) {
  const steps = curves.dogs.length - 1, x = (/** @type {number} */ i) => MARGIN + (i / steps) * (WIDTH - 2 * MARGIN);
  const line = (/** @type {number[]} */ values, /** @type {string} */ kind) => {
    const least = Math.min(...values), range = Math.max(...values) - least || 1;
    const y = (/** @type {number} */ v) => HEIGHT - MARGIN - ((v - least) / range) * (HEIGHT - 3 * MARGIN);
    return `<path class="line ${kind}" d="M${values.map((v, i) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}"/>`;
  };
  const upright = (/** @type {number} */ i) => `<path class="axis" d="M${x(i)} ${MARGIN}V${HEIGHT - MARGIN}"/>`;
  const words = marks.map(([i, word]) => `${upright(i)}<text x="${x(i)}" y="${HEIGHT - 4}" text-anchor="middle">${word}</text>`);
  const here = at === undefined ? "" : `<circle cx="${x(at)}" cy="${MARGIN / 2}" r="5"/>${upright(at)}`;
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("aria-label", name);
  svg.innerHTML = words.join("") + here + line(curves.dogs, "dogs") + line(curves.likeness, "likeness");
}
