// Draws the dog on the page into the visitor's photo, and shows that beside the original. The browser does this alone:
// the photo is not sent anywhere.

import { whenSettled } from "./dog.js";
import { LIGHT, inverse, join, lightChange, softEdge, toPhoto } from "./blend.js";
import { image, onClick, part, saveBlob, say } from "./page.js";
import { state, subscribe } from "./store.js";
import { whenOpened } from "./tabs.js";

/** @import { Known, Place } from "./store.js" */
/**
 * @typedef {{ photo: HTMLCanvasElement, scale: number, place: Place, size: number[], light: Uint8ClampedArray }} Scene
 *   scale: pixels of the canvas per pixel of the photo; light: the photo under the dog [LIGHT x LIGHT x RGBA]
 */

// Pixels on the longer side of the photo.
const SHOWN = 1024, SAVED = 2048;
// Least time between two drawings while a slider moves.
const WAIT_MS = 100;
// The part of the photo under the dog is drawn FINE x LIGHT pixels wide, then averaged to LIGHT.
const FINE = 4;

/** @type {{ of: Known, scene: Promise<Scene> } | null} */
let shown = null;
let timer = 0, stale = false;

const original = () => /** @type {HTMLCanvasElement} */ (part("#back [data-part=original]"));
const composed = () => /** @type {HTMLCanvasElement} */ (part("#back [data-part=back]"));
const isPhoto = (/** @type {Known | null} */ known) => Boolean(known?.file && known.place && known.size && known.crop && !known.caption);

/** @param {number} width @param {number} height */
function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  return canvas;
}

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingQuality = "high";
  return context;
}

/** @param {string} url */
async function imageAt(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return picture;
}

/** The server's small copy of the photo. @param {HTMLImageElement} copy @param {number} width of the photo */
function smallCopy(copy, width) {
  const canvas = canvasOf(copy.naturalWidth, copy.naturalHeight);
  contextOf(canvas).drawImage(copy, 0, 0);
  return { canvas, scale: copy.naturalWidth / width };
}

/**
 * The photo, turned as the server read it. If the browser can't read the file (most can't read HEIC), the small copy
 * that the server sent.
 * @param {Known} known @param {number} most pixels on the longer side
 */
async function photoOf({ file, turns = 0, size = [1, 1], photo = "" }, most) {
  const [width, height] = size, scale = Math.min(1, most / Math.max(width, height)), lies = turns % 2 === 1;
  const canvas = canvasOf(scale * width, scale * height), context = contextOf(canvas);
  const turned = (/** @type {number} */ w, /** @type {number} */ h) => (lies ? [h, w] : [w, h]);
  const [wide, high] = turned(canvas.width, canvas.height);
  const bitmap = await createImageBitmap(/** @type {File} */ (file), { imageOrientation: "from-image" }).catch(() => null);
  const readable = bitmap && Math.abs((bitmap.width / bitmap.height) * (high / wide) - 1) < 0.02;
  if (readable) {
    context.translate(canvas.width / 2, canvas.height / 2);
    context.rotate((turns * Math.PI) / 2);
    context.drawImage(bitmap, -wide / 2, -high / 2, wide, high);
    context.resetTransform();
  }
  bitmap?.close();
  return readable ? { canvas, scale } : smallCopy(await imageAt(photo), width);
}

/** @param {Known} known @param {number} most @returns {Promise<Scene>} */
async function sceneOf(known, most) {
  const { canvas, scale } = await photoOf(known, most), place = /** @type {Place} */ (known.place);
  const large = canvasOf(FINE * LIGHT, FINE * LIGHT), context = contextOf(large);
  context.setTransform(...inverse(toPhoto(place, scale, FINE * LIGHT)));
  context.drawImage(canvas, 0, 0);
  return { photo: canvas, scale, place, size: /** @type {number[]} */ (known.size), light: lightOf(large) };
}

/** @param {CanvasImageSource} picture a square */
function lightOf(picture) {
  const small = canvasOf(LIGHT, LIGHT), context = contextOf(small);
  context.drawImage(picture, 0, 0, LIGHT, LIGHT);
  return context.getImageData(0, 0, LIGHT, LIGHT).data;
}

/** Draws photo and dog. @param {Scene} scene @param {HTMLImageElement} picture @param {HTMLCanvasElement} canvas */
function compose({ photo, scale, place, size, light }, picture, canvas) {
  // More pixels than the photo has there would not be seen.
  const own = Math.max(1, Math.min(picture.naturalWidth, Math.ceil(scale * place.side)));
  const square = canvasOf(own, own), pasted = contextOf(square);
  pasted.drawImage(picture, 0, 0, own, own);
  const pixels = pasted.getImageData(0, 0, own, own);
  join(pixels.data, lightChange(light, lightOf(picture)), softEdge(place, size, own), own);
  pasted.putImageData(pixels, 0, 0);
  const context = contextOf(canvas);
  [canvas.width, canvas.height] = [photo.width, photo.height];
  context.drawImage(photo, 0, 0);
  context.setTransform(...toPhoto(place, scale, own));
  context.drawImage(square, 0, 0);
}

function showScene() {
  const { base } = state.dog, has = isPhoto(base);
  part("#back").hidden = !has;
  if (!has) {
    shown = null;
  } else if (shown?.of.crop !== base.crop || shown?.of.file !== base.file) {
    shown = { of: base, scene: sceneOf(base, SHOWN) };
    shown.scene.then(({ photo }) => {
      [original().width, original().height] = [photo.width, photo.height];
      contextOf(original()).drawImage(photo, 0, 0);
    }).catch(() => { part("#back").hidden = true; });
  }
}

/** Draws the dog into the photo: now, or a moment later if that was just done. */
function follow() {
  if (state.tab !== "photo-panel") return; // it is hidden
  showScene();
  if (!shown) return;
  const dog = image("#dog img"), { scene } = shown;
  stale = true;
  if (timer) return;
  timer = window.setTimeout(() => {
    timer = 0;
    if (stale) follow();
  }, WAIT_MS);
  stale = false;
  scene.then((drawn) => { if (dog.complete && dog.naturalWidth) compose(drawn, dog, composed()); }).catch(() => {});
}

async function save() {
  await whenSettled();
  const { base, picture } = state.dog, canvas = canvasOf(1, 1);
  try {
    compose(await sceneOf(base, SAVED), await imageAt(picture), canvas);
  } catch {
    return say("The photo could not be put together; please choose it again.", true);
  }
  canvas.toBlob((blob) => {
    if (blob) saveBlob(blob, "my-dog.jpg");
  }, "image/jpeg", 0.92);
}

export function start() {
  // While the dog moves, its pictures do not pass through the store.
  image("#dog img").addEventListener("load", follow);
  subscribe(["dog"], (before) => { if (state.dog.base !== before.dog.base) follow(); });
  whenOpened("photo-panel", follow);
  onClick("#save-back", save);
}
