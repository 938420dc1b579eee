// Changes the dog on the page: fetches another one, or moves this one to other numbers. The browser holds the numbers;
// the server turns them into pictures (live.js asks for those of moves).

import { remember } from "./history.js";
import { field, say } from "./page.js";
import * as server from "./server.js";
import { changed, numbers, state, subscribe, update } from "./store.js";

/** @import { Dog, Known } from "./store.js" */
/** @typedef {Known & import("./server.js").Failure} Answer */
/**
 * @typedef {object} About a dog that is fetched
 * @property {string} [doing] the message meanwhile
 * @property {boolean} [unasked] the visitor did not ask for it: it does not replace a dog that they have moved meanwhile
 * @property {number | null} [seed] null if it takes more than a seed to draw the dog
 * @property {number} [temperature]
 */

export const NO_SEED = "The seed is a whole number, 0 or more.";

/** @param {string} text */
export const isSeed = (text) => text !== "" && Number.isInteger(Number(text)) && Number(text) >= 0;

export const randomSeed = () => Math.floor(Math.random() * 1e6);

/**
 * A dog to replace the one on the page. Its picture and numbers are known, so the server need not draw it.
 * @param {Known} known
 * @param {Partial<Dog>} also
 * @returns {Dog}
 */
export const settledAs = ({ c, latent, picture }, also) =>
  ({ ...state.dog, c, latent, picture, settled: true, edit: state.dog.edit + 1, ...also });

/**
 * Fetches a seed's dog to show it beside the one on the page; null if the server does not answer.
 * @param {number} seed
 */
export async function seedDog(seed, temperature = 1) {
  const answer = await server.ask(server.draw({ seed, temperature }));
  return answer && { c: answer.c, picture: answer.picture };
}

/**
 * Shows this dog; from now on, Reset goes back to it.
 * @param {Known} base
 * @param {Partial<Dog>} also further values
 */
function beginFrom(base, also = {}) {
  const space = state.dog.space === "map" ? "directions" : state.dog.space;
  update({ dog: settledAs(base, { base, space, place: null, isAway: false, ...also }), sight: base, playing: false });
}

export function reset() {
  remember();
  beginFrom(state.dog.base);
}

/**
 * Fetches a dog, and shows it in place of the one on the page. That one stays if the server answers with an error, or
 * if yet another dog is asked for meanwhile. Resolves to whether the dog was shown.
 * @param {() => Promise<Answer>} call
 * @param {(answer: Answer) => string} sentence the message about the new dog
 * @param {About} [about]
 */
export async function fetchDog(call, sentence, about = {}) {
  const wish = state.wish + 1, { c } = state.dog;
  update({ wish });
  if (about.doing) say(about.doing);
  const answer = await call().catch((error) => /** @type {Answer} */ ({ error: server.reason(error) }));
  if (wish !== state.wish || answer.dropped || (about.unasked && c !== state.dog.c)) return false;
  if (answer.error) {
    update({ fields: { ...state.fields } }); // the fields show the dog on the page again, not what was typed
    say(answer.error, true);
    return false;
  }
  beginFetched(answer, about);
  say(sentence(answer));
  return true;
}

/** @param {Known} answer @param {About} about */
function beginFetched(answer, { seed = null, temperature }) {
  remember();
  const shown = temperature === undefined ? state.fields.temperature : String(temperature);
  beginFrom(answer, { seed, temperature: temperature ?? state.dog.temperature });
  update({ fields: { ...state.fields, temperature: shown } });
}

/**
 * Draws a seed's dog, but keeps the values of the locked sliders.
 * @param {number} seed
 */
export function drawSeed(seed, temperature = Number(field("#temperature").value), locked = state.locked) {
  return drawWith(seed, temperature, [...locked].map((index) => [index, state.dog.c[index]]));
}

/**
 * Draws a seed's dog, but keeps these values.
 * @param {number} seed
 * @param {number} temperature
 * @param {number[][]} keep [direction, value] of each locked slider
 * @param {About} [more]
 */
export function drawWith(seed, temperature, keep, more = {}) {
  const sentence = keep.length
    ? `Seed ${seed}, but for ${keep.length === 1 ? "the locked slider" : `${keep.length} locked sliders`}.`
    : `Seed ${seed}: draw it again any time.`;
  const about = { seed: keep.length ? null : seed, temperature, ...more };
  return fetchDog(() => server.draw({ seed, temperature, keep }), () => sentence, about);
}

/** Fetches the dog of these coordinates. @param {number[]} c @param {string} sentence @param {About} [about] */
export const goTo = (c, sentence, about) => fetchDog(() => server.dogAt(c, state.wish), () => sentence, about);

/**
 * Moves this dog to other coordinates. As with a slider, Reset goes back to the dog as it began.
 * @param {number[]} c
 * @param {{ isAway?: boolean }} [about] isAway: these are another dog's coordinates
 */
export function moveDog(c, { isAway = state.dog.isAway } = {}) {
  update({ dog: { ...state.dog, space: "directions", c, place: null, settled: false, isAway } });
}

/** Moves this dog to a place on the map. @param {number[]} place */
export function moveOnMap(place) {
  update({ dog: { ...state.dog, space: "map", place, settled: false, isAway: true } });
}

/**
 * This dog, with one of the numbers that the sliders show changed.
 * @param {number} index
 * @param {number} value
 * @returns {Dog}
 */
function withNumber(index, value) {
  const { dog } = state, moved = numbers().map((v, i) => (i === index ? value : v));
  const part = dog.space === "raw" ? { latent: { ...dog.latent, z: moved } } : { c: moved };
  return { ...dog, ...part, place: null, settled: false };
}

/** @param {number} index @param {number} value */
export function moveNumber(index, value) {
  update({ dog: withNumber(index, value) });
}

/** Resets one number to its value in the dog as it began. @param {number} index */
export function resetNumber(index) {
  const start = numbers(state.dog.base)[index];
  if (numbers()[index] !== start) bringBack(withNumber(index, start));
}

/** Moves this dog to coordinates which may be those that it began with. @param {number[]} c */
export function moveBack(c) {
  bringBack({ ...state.dog, space: "directions", c, place: null, settled: false });
}

/** Shows the moved dog. If it is again as it began, its picture is known already. @param {Dog} moved */
function bringBack(moved) {
  remember();
  update({ dog: changed(moved) ? moved : settledAs(state.dog.base, { place: null, isAway: false }) });
}

/** Resolves when the picture shows the numbers. Stops a morph that plays, which would never settle. */
export function whenSettled() {
  update({ playing: false });
  if (state.dog.settled) return Promise.resolve();
  return new Promise((/** @type {(value?: undefined) => void} */ done) => {
    const end = subscribe(["dog"], () => {
      if (!state.dog.settled) return;
      end();
      done();
    });
  });
}
