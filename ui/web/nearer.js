// The dog of a photo moves nearer to the photo, some steps an answer, until it no longer helps, or the visitor goes on to
// something else. The server takes no step that nobody asks for.

import { settledAs } from "./dog.js";
import { remember } from "./history.js";
import { onClick, part, say } from "./page.js";
import { nearer, reason } from "./server.js";
import { cropOfDog, state, subscribe, update } from "./store.js";

/** @import { Dog, Known } from "./store.js" */

const MOST_S = 3; // what takes longer begins at the visitor's word only

/** @typedef {{ dog: Dog, said: string, steps: number }} Way */

/** @type {Way | null} */
let way = null; // what is under way: the dog as its last answer left it, what was said of its photo, and steps taken

/** Whether the visitor has done something to this dog. @param {Dog} dog */
const isLeft = ({ edit, c, latent }) =>
  state.dog.edit !== edit || state.dog.c !== c || state.dog.latent !== latent || state.dog.place !== null;

/** After a photo was looked at: begins, where it will not take long. @param {string} said of the photo */
export function nearerAtOnce(said) {
  if ((state.dog.base.nearer ?? Infinity) <= MOST_S) approach(said);
}

/** @param {string} said of the photo just now, which is said again at the end */
async function approach(said) {
  const { base } = state.dog, own = { dog: state.dog, said, steps: 0 };
  way = own;
  show();
  try {
    for (let share = 0; share < 1;) {
      const answer = await nearer(share ? undefined : base.crop);
      if (way !== own || answer.dropped) return;
      if (answer.error) return say(answer.error, true);
      if (!share) remember();
      ({ share, steps: own.steps } = answer);
      moveOn(own, { ...base, ...answer, isNearest: share === 1 }, share);
      await new Promise(requestAnimationFrame); // the picture is seen before the next is asked for
    }
    sayOfWay(own, `${inSteps(own.steps)} nearer to your photo.`);
  } catch (error) {
    if (way === own) say(reason(error), true);
  } finally {
    if (way === own) finish();
  }
}

/** @param {number} steps */
const inSteps = (steps) => (steps === 1 ? "1 step" : `${steps} steps`);

/** Adds to what was said of the photo. @param {Way} own @param {string} word */
function sayOfWay(own, word) {
  if (way === own) say(`${own.said} ${word}`.trim());
}

function stop() {
  if (way) sayOfWay(way, `Stopped after ${inSteps(way.steps)}; this is as near as it came.`);
  finish();
}

/** @param {Way} own @param {Known} known @param {number} share of the way */
function moveOn(own, known, share) {
  const space = state.dog.space === "map" ? "directions" : state.dog.space;
  own.dog = settledAs(known, { base: known, space, place: null, seed: null });
  update({ dog: own.dog });
  show(share);
}

function finish() {
  way = null;
  const { base } = state.dog;
  if (state.sight?.crop && state.sight.crop === base.crop) update({ sight: base }); // how near it came is told there
  show();
}

function show(share = 0) {
  const { base } = state.dog;
  part("#approach").hidden = !way;
  part("#nearer").hidden = Boolean(way) || !cropOfDog() || Boolean(base.isNearest);
  /** @type {HTMLProgressElement} */ (part("#approach progress")).value = share;
}

export function start() {
  subscribe(["dog", "sight"], () => {
    if (way && isLeft(way.dog)) finish();
    if (!way) show();
  });
  onClick("#nearer", () => approach(""));
  onClick("#stop", stop);
}
