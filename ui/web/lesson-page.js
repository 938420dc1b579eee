// What the parts of the lesson share: looking things up in a part, asking until there is an answer, and drawing clouds and
// curves.

import { state } from "./store.js";

/** @import { Failure } from "./server.js" */

export const TROUBLE = "The server does not answer just now; the page tries again.", RETRY_MS = 2000;

/** @type {HTMLElement} */
let lesson;

/** @param {HTMLElement} element */
export const attach = (element) => { lesson = element; };

/** The picture that the lesson is about, as the models see it; "" for the example, as where the photo shows no dog. */
export const chosen = () => (state.sight && !state.sight.crop ? "" : state.crop);

/** A function that looks things up in a part. @param {string} id @returns {(selector: string) => any} */
export const inside = (id) => (selector) => lesson.querySelector(`#${id} ${selector}`);

/** @param {string} id @param {string} selector @returns {HTMLElement[]} */
export const allInside = (id, selector) => [...lesson.querySelectorAll(`#${id} ${selector}`)].map((node) => /** @type {HTMLElement} */ (node));

/** Shows a sentence on top of the lesson; it is in sight wherever one reads. @param {string} text */
export function say(text) {
  const message = /** @type {HTMLElement} */ (lesson.querySelector("#lesson-message"));
  if (message.textContent !== text) message.textContent = text;
}

/**
 * The answer to a call that is made again until the server gives one; null where it is a sentence, which is shown, or
 * where nobody waits any more.
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
 * Fetches what a part shows of the visitor's photo, or of the example, and again for another photo.
 * @template {Failure} T
 * @param {(photo: Blob | null) => Promise<T>} call
 * @param {(answer: T) => void} show
 * @returns {() => Promise<void>} fetches it
 */
export function ofPhoto(call, show) {
  let asked = 0; // of two photos, the later one is shown
  return async () => {
    const mine = ++asked;
    const photo = chosen() ? await (await fetch(chosen())).blob() : null;
    const answer = await insist(() => call(photo), () => mine === asked);
    if (answer) show(answer);
  };
}

/** Lets what is inside be used: it was disabled until there was something to show. @param {string} id */
export const enable = (id) => allInside(id, "[disabled]").forEach((node) => node.removeAttribute("disabled"));

/** @param {HTMLElement} row @param {string[]} pictures @param {string} name */
export function showRow(row, pictures, name) {
  const images = [...row.querySelectorAll("img")];
  if (images.length !== pictures.length) {
    row.replaceChildren(...pictures.map((src, i) => Object.assign(new Image(), { src, alt: `${name} ${i + 1}` })));
  } else images.forEach((image, i) => Object.assign(image, { src: pictures[i], alt: `${name} ${i + 1}` }));
}

/** Dots as one path, up being up. @param {number[][]} points @param {string} kind */
const dots = (points, kind) => `<path class="${kind}" d="${points.map(([x, y]) => `M${x} ${-y}h0`).join("")}"/>`;

/**
 * Real dogs as dots, the bell curve as rings at 1, 2 and 3 standard deviations, and what was drawn from it.
 * @param {SVGElement} svg
 * @param {number[][]} dogs
 * @param {number[][]} [drawn]
 */
export function drawCloud(svg, dogs, drawn = []) {
  svg.setAttribute("viewBox", "-4.5 -4.5 9 9");
  const rings = [1, 2, 3].map((r) => `<circle class="ring" r="${r}"/>`).join("");
  svg.innerHTML = `${dots(dogs, "real")}${rings}${dots(drawn, "fresh")}<circle class="point" r="0.25" visibility="hidden"/>`;
}

const WIDTH = 320, HEIGHT = 150, EDGE = 14;

/**
 * Two curves over the same steps, each between its own least and most.
 * @param {SVGElement} svg
 * @param {{ dogs: number[], likeness: number[] }} curves by their classes
 * @param {{ at?: number, marks?: [number, string][], name: string }} more at: the step that is shown; marks: steps with a word
 */
export function drawCurves(svg, curves, { at, marks = [], name }) {
  const steps = curves.dogs.length - 1, x = (/** @type {number} */ i) => EDGE + (i / steps) * (WIDTH - 2 * EDGE);
  const line = (/** @type {number[]} */ values, /** @type {string} */ kind) => {
    const least = Math.min(...values), range = Math.max(...values) - least || 1;
    const y = (/** @type {number} */ v) => HEIGHT - EDGE - ((v - least) / range) * (HEIGHT - 3 * EDGE);
    return `<path class="line ${kind}" d="M${values.map((v, i) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("L")}"/>`;
  };
  const upright = (/** @type {number} */ i) => `<path class="axis" d="M${x(i)} ${EDGE}V${HEIGHT - EDGE}"/>`;
  const words = marks.map(([i, word]) => `${upright(i)}<text x="${x(i)}" y="${HEIGHT - 2}" text-anchor="middle">${word}</text>`);
  const here = at === undefined ? "" : `<circle cx="${x(at)}" cy="${EDGE / 2}" r="5"/>${upright(at)}`;
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("aria-label", name);
  svg.innerHTML = words.join("") + here + line(curves.dogs, "dogs") + line(curves.likeness, "likeness");
}

/** A price as one says it. @param {number} value */
export const priceText = (value) => (value ? `${value}` : "0");
