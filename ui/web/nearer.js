// Makes the dog of a photo more like the photo. Each request lets the server take some steps of optimisation, until
// they no longer help, or until the visitor presses Stop or changes the dog. The server takes none unasked.

import { settledAs } from "./dog.js";
import { remember } from "./history.js";
import { onClick, part, say } from "./page.js";
import { nearer, reason } from "./server.js";
import { cropOfDog, state, subscribe, update } from "./store.js";

/** @import { Dog, Known } from "./store.js" */

// If it takes longer, it begins only when the visitor presses the button.
const MOST_S = 3;
// The longest wait for the browser to show a picture. A hidden page shows none, but must go on asking, or the server
// forgets the run.
const FRAME_MS = 200;

const frame = () => Promise.race([new Promise(requestAnimationFrame), new Promise((done) => setTimeout(done, FRAME_MS))]);

/**
 * @typedef {{ dog: Dog, said: string, steps: number }} Run
 *   dog: as the last answer left it; said: the message about its photo; steps: taken so far
 */

/** @type {Run | null} */
let run = null; // the one that is under way

/** Whether the visitor has changed this dog. @param {Dog} dog */
const isLeft = ({ edit, c, latent }) =>
  state.dog.edit !== edit || state.dog.c !== c || state.dog.latent !== latent || state.dog.place !== null;

/** Begins with a new dog of a photo, if it will not take long. @param {string} said the message about the photo */
export function nearerAtOnce(said) {
  if ((state.dog.base.nearer ?? Infinity) <= MOST_S) approach(said);
}

/** @param {string} said the message about the photo, which is repeated at the end */
async function approach(said) {
  const { base } = state.dog, own = { dog: state.dog, said, steps: 0 };
  run = own;
  show();
  try {
    for (let share = 0; share < 1;) {
      const answer = await nearer(share ? undefined : base.crop);
      if (run !== own || answer.dropped) return;
      if (answer.error) return say(answer.error, true);
      if (!share) remember();
      ({ share, steps: own.steps } = answer);
      moveOn(own, { ...base, ...answer, isNearest: share === 1 }, share);
      await frame(); // shows the picture before asking for the next
    }
    sayOfRun(own, `${inSteps(own.steps)} nearer to your photo.`);
  } catch (error) {
    if (run === own) say(reason(error), true);
  } finally {
    if (run === own) finish();
  }
}

/** @param {number} steps */
const inSteps = (steps) => (steps === 1 ? "1 step" : `${steps} steps`);

/** Shows the message about the photo and one more sentence. @param {Run} own @param {string} word */
function sayOfRun(own, word) {
  if (run === own) say(`${own.said} ${word}`.trim());
}

function halt() {
  if (run) sayOfRun(run, `Stopped after ${inSteps(run.steps)}; this is as near as it came.`);
  finish();
}

/** @param {Run} own @param {Known} known @param {number} share of the run that is done */
function moveOn(own, known, share) {
  const space = state.dog.space === "map" ? "directions" : state.dog.space;
  own.dog = settledAs(known, { base: known, space, place: null, seed: null });
  update({ dog: own.dog });
  show(share);
}

function finish() {
  run = null;
  const { base } = state.dog;
  if (state.sight?.crop && state.sight.crop === base.crop) update({ sight: base }); // shows its new numbers
  show();
}

function show(share = 0) {
  const { base } = state.dog;
  part("#approach").hidden = !run;
  part("#nearer").hidden = Boolean(run) || !cropOfDog() || Boolean(base.isNearest);
  /** @type {HTMLProgressElement} */ (part("#approach progress")).value = share;
}

export function start() {
  subscribe(["dog", "sight"], () => {
    if (run && isLeft(run.dog)) finish();
    if (!run) show();
  });
  onClick("#nearer", () => approach(""));
  onClick("#stop", halt);
}
