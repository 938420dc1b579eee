// All requests of the page to the server. Each function calls one of ui/pad.py, ui/explore.py or ui/looks.py.
// An answer may be { error: message }, or { dropped: true } if a newer call replaced it. A call rejects if the network
// or the server fails.

import * as channel from "./channel.js";
import { say } from "./page.js";
import { toDataUrl } from "./picture.js";
import { state } from "./store.js";

/** @import { Way } from "./math.js" */
/** @import { Known, Latent } from "./store.js" */
/**
 * @typedef {{ error?: string, busy?: boolean, dropped?: boolean }} Failure busy: asking again may help
 * @typedef {{ number: number, space: string, values: number[], still: boolean, half?: boolean }} Move
 *   still: asks for a lossless picture, as the dog is at rest; half: for one of half the size
 * @typedef {{ picture?: Blob | string, type?: string, took?: number, c?: number[], latent?: Latent }} Moved
 * @typedef {{ seeds: number[], temperature: number, keep: number[][] }} Wall keep: [direction, value] of each locked slider
 * @typedef {{ pictures: string[], dogs: number[][] }} Walled
 */

const OUT_OF_REACH = "The server does not answer just now; your dog is kept. Please try again.";
const UNREADABLE = "Your browser can't read this file: it is a folder, or was changed, moved or deleted. Please choose a photo again.";
const OFFLINE = "Your device is not connected to a network just now; your dog is kept. Please try again later.";
const TOO_LARGE = "The file is larger than 25 MB; please choose a smaller photo.";
// A request is given up after this time: if the network is down, there may be no answer and no error for minutes.
const LOST_MS = 10000;
const MAX_PHOTO_BYTES = 25e6;

/** A name for this page. Of each page, the server draws only the newest move. */
export const PAGE = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");

/** @type {Record<string, (data?: unknown) => Promise<any>>} */
const functions = {};

/** @param {Record<string, (data?: unknown) => Promise<any>>} given what Gradio hands to a component's script */
export const connect = (given) => Object.assign(functions, given);

/** @param {string} name @param {unknown} data @returns {Promise<any>} */
async function call(name, data) {
  const answer = await functions[name](data);
  if (!answer) throw new Error("an upload that never arrived");
  return ofThisModel(answer);
}

/** Makes an error of an answer by another model: its numbers are other dogs here, or none. @param {any} answer */
const ofThisModel = (answer) =>
  (answer.latent && answer.latent.weights !== state.facts.weights ? { error: state.facts.swapped } : answer);

const weights = () => ({ weights: state.facts.weights });

/**
 * Draws a seed's dog. keep: [direction, value] of each locked slider.
 * @param {{ seed: number, temperature: number, keep?: number[][] }} wish
 * @returns {Promise<Known & Failure>}
 */
export const draw = (wish) => call("draw", { ...wish, ...weights() });

/**
 * The picture of moved numbers; for a still move as a data URL, with the numbers of both kinds. took: ms in the server.
 * @param {Move} wish
 * @returns {Promise<Known & Failure & { took: number }>}
 */
export const move = (wish) => inTime(moveDog(wish));

/** Sends a move over the channel, or posts it if the channel is not open or breaks. @param {Move} wish */
async function moveDog(wish) {
  channel.openChannel();
  if (!channel.isOpen()) return post(PAGE, wish);
  const answer = await channel.ask(wish, state.facts.weights).catch(() => post(PAGE, wish));
  if (wish.still && answer.picture instanceof Blob) answer.picture = await toDataUrl(answer.picture);
  return ofThisModel(answer);
}

/** @param {string} page @param {Move} wish */
const post = (page, wish) => call("move", { page, ...wish, ...weights() });

/**
 * The dog of these coordinates. The request has its own page name, so that no move replaces it.
 * @param {number[]} c @param {number} number
 */
export const dogAt = (c, number) => inTime(post(`${PAGE} go`, { number, space: "directions", values: c, still: true }));

/** The dog of a saved latent. @param {unknown} latent @returns {Promise<Known & Failure>} */
export const openLatent = (latent) => call("load", latent);

/**
 * The dog in a photo.
 * @param {File} photo
 * @param {{ turns?: number, box?: number[] | null, landmarks?: number[][] | null, whole?: boolean }} wish
 * @returns {Promise<Known & Failure>}
 */
export const reconstruct = (photo, wish) => call("reconstruct", { binary: true, data: { photo, wish: JSON.stringify(wish) } });

/**
 * Makes a photo's dog more like the photo by some steps. crop: what the model saw of it, in the first call; later calls
 * go on without it.
 * @param {string} [crop]
 * @returns {Promise<Known & Failure & { steps: number, share: number }>} steps: taken so far; share: of all steps, 0 to 1
 */
export const nearer = (crop) => call("nearer", { page: PAGE, crop, ...weights() });

/**
 * Small pictures of dogs. large: the larger kind, to choose from.
 * @param {number[][]} dogs
 * @returns {Promise<{ pictures: string[] } & Failure>}
 */
export const thumbnails = (dogs, large = false) => call("thumbnails", { dogs: dogs.map(rounded), large, ...weights() });

/** Small pictures of random dogs, the same as those of `draw`. @param {Wall} wish @returns {Promise<Walled & Failure>} */
export const wall = (wish) => call("wall", { ...wish, ...weights() });

/** The dog's picture as a file. @param {Latent} latent @param {number} side pixels; 0: unscaled
 * @returns {Promise<{ picture: string } & Failure>} */
export const enlarged = (latent, side) => call("enlarged", { latent, side, ...weights() });

/** The ways of all Looks. @returns {Promise<{ ways: Way[] } & Failure>} */
export const ways = () => call("ways", weights());

/** The way toward a breed. @param {string} breed @returns {Promise<Way & Failure>} */
export const toward = (breed) => call("toward", { breed, ...weights() });

/**
 * The breeds that a classifier sees in a dog, the likeliest first. share: 0 to 1.
 * @param {number[]} dog
 * @returns {Promise<{ breeds: { breed: string, share: number }[] } & Failure>}
 */
export const seeBreeds = (dog) => call("see_breeds", { dog: rounded(dog), ...weights() });

/** The map of dogs as one picture. @returns {Promise<{ picture: string } & Failure>} */
export const atlas = () => call("atlas", weights());

/** Dogs side by side in one picture. @param {number[][]} dogs @returns {Promise<{ picture: string } & Failure>} */
export const contactSheet = (dogs) => call("contact_sheet", { dogs: dogs.map(rounded), ...weights() });

/**
 * A film from the first dog to the second and back, as a data URL.
 * @param {{ name: string, kind: string, frames: number, side: number, dogs: number[][] }} wish side: pixels, 0: unscaled
 * @returns {Promise<{ file: string } & Failure>}
 */
export const film = (wish) => call("movie", { ...wish, ...weights() });

/** The share of a film that is done, 0 to 1. @param {string} name @returns {Promise<number>} */
export const filmProgress = (name) => call("progress", name).then(({ share }) => share, () => 0);

/**
 * The answer; null if it was dropped or is an error, which is shown under the dog.
 * @template {Failure} T
 * @param {Promise<T>} answering
 * @returns {Promise<T | null>}
 */
export async function ask(answering) {
  const answer = await answering.catch((error) => /** @type {T} */ ({ error: reason(error) }));
  if (answer.error) say(answer.error, true);
  return answer.error || answer.dropped ? null : answer;
}

/** The message about a call that failed. @param {unknown} error */
export function reason(error) {
  const text = String(/** @type {any} */ (error)?.message ?? error);
  if (error instanceof DOMException && /^Not(Found|Readable)/.test(error.name)) return UNREADABLE;
  if (/413|exceed|too large/i.test(text)) return TOO_LARGE;
  return navigator.onLine ? unreachableMessage() : OFFLINE;
}

/** The message about a server that does not answer. */
export const unreachableMessage = () => subPathProblem() || OUT_OF_REACH;

/** The message if a proxy serves the page under a sub-path that the server does not know; "" otherwise. */
export function subPathProblem() {
  const { root } = /** @type {any} */ (window).gradio_config ?? {};
  const here = location.pathname.replace(/\/[^/]*$/, "");
  if (!root || here === new URL(root, location.href).pathname.replace(/\/$/, "")) return "";
  return `This page lies under ${here}, which its server was not told: start it with GRADIO_ROOT_PATH=${here}.`;
}

/**
 * A copy of the photo in memory: the file on disk may be removed or changed before it is sent again. Rejects if the
 * browser can't read it.
 * @param {File} file
 */
export const inMemory = async (file) => new File([await file.arrayBuffer()], file.name, { type: file.type });

/** What is wrong with a photo, as far as its file size tells; "" if nothing is. @param {File} file */
export function fileProblem(file) {
  if (file.size > MAX_PHOTO_BYTES) return TOO_LARGE;
  return file.size === 0 ? "The file is empty; please choose another photo." : "";
}

/** Rounded coordinates: shorter to send, and the picture is the same. @param {number[]} c */
const rounded = (c) => c.map((v) => Math.round(v * 1e3) / 1e3);

/** Rejects if the answer takes too long. @template T @param {Promise<T>} answer @returns {Promise<T>} */
function inTime(answer) {
  /** @type {number} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, fail) => { timer = window.setTimeout(() => fail(new Error("no answer in time")), LOST_MS); });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
