// The page "How it works": filled with what the models compute just now. load.js calls start() when its tab is opened.

import { connect, reconstructions, samples } from "./server.js";
import { state, subscribe } from "./store.js";

/** @import { Failure, Seen } from "./server.js" */

const TROUBLE = "The server does not answer just now; the page tries again.", RETRY_MS = 2000;

/** @type {HTMLElement} */
let lesson;
let asked = 0; // of two photos, the later one is shown

/** @param {string} selector @returns {any} */
const part = (selector) => lesson.querySelector(selector);

/**
 * The answer to a call that is made again until the server gives one; null where it is a sentence, which is shown.
 * @template {Failure} T
 * @param {() => Promise<T>} call
 * @returns {Promise<T | null>}
 */
async function insist(call) {
  for (;;) {
    const answer = await call().catch(() => /** @type {T} */ ({ error: TROUBLE, busy: true }));
    part("#lesson-message").textContent = answer.error ?? "";
    if (!answer.busy) return answer.error ? null : answer;
    await new Promise((wait) => setTimeout(wait, RETRY_MS));
  }
}

/** The visitor's photo, or an example, through every model. */
async function showReconstructions() {
  const mine = ++asked, { crop } = state;
  const photo = crop ? await (await fetch(crop)).blob() : null;
  const answer = await insist(() => reconstructions(photo));
  if (!answer || mine !== asked) return;
  part(".whose").textContent = photo ? "the picture that you chose" : "an example dog that DogVAE drew";
  for (const image of lesson.querySelectorAll("[data-part=crop]")) image.setAttribute("src", answer.autoencoder.crop);
  part("#squeeze [data-part=picture]").src = answer.autoencoder.picture;
  paintNumbers(part("#squeeze canvas"), answer.autoencoder.z);
  for (const [name, seen] of /** @type {[string, Seen][]} */ (Object.entries(answer))) {
    const image = part(`[data-model=${name}]`);
    image.src = seen.picture;
    image.parentElement.querySelector("b").textContent = `${seen.psnr.toFixed(1)} dB`;
    drawCurve(part(`[data-curve=${name}] svg`), seen.z);
  }
}

/** @param {number} seed */
async function showSamples(seed) {
  const answer = await insist(() => samples(seed));
  for (const before of lesson.querySelectorAll(".before")) before.toggleAttribute("hidden", !answer?.["dogvae before"]);
  for (const [row, pictures] of /** @type {[string, string[]][]} */ (Object.entries(answer ?? {}))) {
    const images = pictures.map((src) => Object.assign(new Image(), { src, alt: `A random dog: ${row} prior` }));
    part(`[data-row="${row}"]`).replaceChildren(...images);
  }
}

/**
 * Each number as a square: blue below zero, orange above, the largest in full colour.
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} z
 */
function paintNumbers(canvas, z) {
  const context = canvas.getContext("2d"), most = Math.max(...z.map(Math.abs));
  if (!context) return;
  z.forEach((v, i) => {
    const [r, g, b] = v < 0 ? [30, 90, 200] : [220, 100, 20], strength = Math.abs(v) / most;
    context.fillStyle = `rgb(${[r, g, b].map((full) => 255 + (full - 255) * strength).join(",")})`;
    context.fillRect(i % 16, Math.floor(i / 16), 1, 1);
  });
}

/**
 * A histogram of the numbers from -4 to 4, what lies beyond in the outermost bars, and N(0, 1) over it.
 * @param {SVGElement} svg
 * @param {number[]} z
 */
function drawCurve(svg, z) {
  const BINS = 16, WIDTH = 160, HEIGHT = 90, counts = new Array(BINS).fill(0);
  for (const v of z) counts[Math.min(BINS - 1, Math.max(0, Math.floor((v + 4) * 2)))]++;
  const bell = (/** @type {number} */ x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) * z.length * 0.5; // a bar is 0.5 wide
  const tallest = Math.max(...counts, bell(0)), y = (/** @type {number} */ n) => HEIGHT - (n / tallest) * (HEIGHT - 4);
  const bars = counts.map((n, i) => `<rect x="${i * 10 + 1}" y="${y(n)}" width="8" height="${HEIGHT - y(n)}"/>`);
  const points = Array.from({ length: 81 }, (_, i) => `${i * 2},${y(bell(i / 10 - 4))}`);
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "How large the 256 numbers are, against the bell curve from -4 to 4");
  svg.innerHTML = `${bars.join("")}<path d="M${points.join("L")}"/>`;
}

/** @param {{ element: HTMLElement, server: Record<string, (data?: unknown) => Promise<any>> }} gradio */
export function start({ element, server }) {
  lesson = element;
  connect(server);
  part("#again").addEventListener("click", () => showSamples(Math.floor(Math.random() * 1e6)));
  subscribe(["crop"], showReconstructions);
  showReconstructions();
  showSamples(0);
}
