// Starts the tab "Draw a dog": load.js calls start() with what Gradio gives to its component (ui/pad.py, pad.html).

import { start as startBreeds } from "./breeds.js";
import { start as startControls } from "./controls.js";
import { start as startHistory } from "./history.js";
import { start as startIntake } from "./intake.js";
import { start as startKept, tellOfOtherFavourites } from "./kept.js";
import { beginWithLastDog } from "./last.js";
import { start as startLive } from "./live.js";
import { attach, image, say } from "./page.js";
import { start as startPicture } from "./picture.js";
import { connect, draw, subPathProblem } from "./server.js";
import { start as startShare } from "./share.js";
import { start as startSliders } from "./sliders.js";
import { changed, state, update } from "./store.js";
import { start as startTabs } from "./tabs.js";

/** @import { Dog, Facts, Step } from "./store.js" */

const PARTS = [
  startPicture, startLive, startHistory, startTabs, startControls, startIntake, startSliders, startBreeds, startKept,
  startShare,
];

/** @param {{ element: HTMLElement, props: { value: Facts }, server: Record<string, (data?: unknown) => Promise<any>> }} gradio */
export function start({ element, props, server }) {
  attach(element);
  connect(server);
  showFirstDog(props.value);
  say(`Seed ${props.value.first.seed}: move a slider, and watch.`);
  for (const startPart of PARTS) startPart();
  if (subPathProblem()) return say(subPathProblem(), true); // no request would be answered
  sharpenFirstDog();
  beginWithLastDog().then(tellOfOtherFavourites);
}

/** Shows the first dog, which is part of the page: the server drew it in advance. @param {Facts} facts */
function showFirstDog(facts) {
  const { c, latent, seed } = facts.first, picture = image("#dog img").src;
  /** @type {Dog} */
  const dog = {
    space: "directions", c, latent, picture, place: null, base: { c, latent, picture }, isAway: false,
    seed, temperature: 1, settled: true, edit: 0,
  };
  update({ facts, dog, fields: { temperature: "1", morph: "0", like: "0" } });
}

/** Replaces the first dog's WebP, which keeps the page small, by the lossless picture, in the history too. */
async function sharpenFirstDog() {
  const { base, seed, temperature } = state.dog;
  const answer = await draw({ seed: Number(seed), temperature }).catch(() => null);
  if (!answer?.picture) return;
  const sharp = { ...base, picture: answer.picture };
  const sharpen = (/** @type {Dog} */ dog) => ({
    ...dog,
    base: dog.base === base ? sharp : dog.base,
    picture: dog.settled && dog.base === base && !changed(dog) ? sharp.picture : dog.picture,
  });
  const sharpenStep = (/** @type {Step} */ step) => ({ ...step, dog: sharpen(step.dog) });
  update({ dog: sharpen(state.dog), past: state.past.map(sharpenStep), future: state.future.map(sharpenStep) });
}
