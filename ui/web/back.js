// The dog as it is now, put back into the visitor's own photo, beside it. All is done here: the photo stays in the browser.

import { whenSettled } from "./dog.js";
import { LIGHT, inverse, join, lightChange, softEdge, toPhoto } from "./blend.js";
import { image, onClick, part, saveFile, say } from "./page.js";
import { state, subscribe } from "./store.js";
import { whenOpened } from "./tabs.js";

/** @import { Known, Place } from "./store.js" */
/** @typedef {{ photo: HTMLCanvasElement, scale: number, place: Place, size: number[], light: Uint8ClampedArray }} Scene */

const SHOWN = 1024, SAVED = 2048; // pixels of the longer side
const WAIT_MS = 100; // between two pictures while a slider moves
const FINE = 4; // times LIGHT, at which the place's light is drawn before it is averaged
const KEEP_URL_MS = 10000; // until the browser has read the file that it saves

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
function brush(canvas) {
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

/** The server's copy, at its own size. @param {HTMLImageElement} copy @param {number} width of the photo */
function smallCopy(copy, width) {
  const canvas = canvasOf(copy.naturalWidth, copy.naturalHeight);
  brush(canvas).drawImage(copy, 0, 0);
  return { canvas, scale: copy.naturalWidth / width };
}

/**
 * The photo as the server read it, of at most so many pixels a side. Where the browser can't read the file (HEIC in most),
 * the small one that the server sent.
 * @param {Known} known @param {number} most
 */
async function photoOf({ file, turns = 0, size = [1, 1], photo = "" }, most) {
  const [width, height] = size, scale = Math.min(1, most / Math.max(width, height)), lies = turns % 2 === 1;
  const canvas = canvasOf(scale * width, scale * height), context = brush(canvas);
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
  const large = canvasOf(FINE * LIGHT, FINE * LIGHT), context = brush(large);
  context.setTransform(...inverse(toPhoto(place, scale, FINE * LIGHT)));
  context.drawImage(canvas, 0, 0);
  return { photo: canvas, scale, place, size: /** @type {number[]} */ (known.size), light: lightOf(large) };
}

/** @param {CanvasImageSource} picture a square */
function lightOf(picture) {
  const small = canvasOf(LIGHT, LIGHT), context = brush(small);
  context.drawImage(picture, 0, 0, LIGHT, LIGHT);
  return context.getImageData(0, 0, LIGHT, LIGHT).data;
}

/** Draws the scene with a dog in it. @param {Scene} scene @param {HTMLImageElement} picture @param {HTMLCanvasElement} canvas */
function compose({ photo, scale, place, size, light }, picture, canvas) {
  // More pixels than the place has can't be seen.
  const own = Math.max(1, Math.min(picture.naturalWidth, Math.ceil(scale * place.side)));
  const square = canvasOf(own, own), pencil = brush(square);
  pencil.drawImage(picture, 0, 0, own, own);
  const pixels = pencil.getImageData(0, 0, own, own);
  join(pixels.data, lightChange(light, lightOf(picture)), softEdge(place, size, own), own);
  pencil.putImageData(pixels, 0, 0);
  const context = brush(canvas);
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
      brush(original()).drawImage(photo, 0, 0);
    }).catch(() => { part("#back").hidden = true; });
  }
}

/** The dog as it is seen is drawn into the photo: now, or where one was just drawn, a moment later. */
function follow() {
  if (state.tab !== "photo-panel") return; // nobody sees it
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
    if (!blob) return;
    const url = URL.createObjectURL(blob);
    saveFile(url, "my-dog.jpg");
    setTimeout(() => URL.revokeObjectURL(url), KEEP_URL_MS);
  }, "image/jpeg", 0.92);
}

export function start() {
  image("#dog img").addEventListener("load", follow); // pictures of moves come there without the store
  subscribe(["dog"], (before) => { if (state.dog.base !== before.dog.base) follow(); });
  whenOpened("photo-panel", follow);
  onClick("#save-back", save);
}
