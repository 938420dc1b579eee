// Part 4 of the lesson: sharp dogs averaged, and a GAN that fell apart.

import { drawCurves, enable, insist, inside, ofPhoto, showRow } from "./lesson-page.js";
import { gan, hair } from "./lesson-server.js";

/** @typedef {import("./lesson-server.js").Hair} Hair */
/** @typedef {import("./lesson-server.js").Gan} Gan */

const part = inside("blur"), ofGan = inside("gan");
/** @type {Hair} */
let dog;
/** @type {Gan} */
let run;

function showMean() {
  const { count, picture } = dog.means[Number(part("input").value)], dogs = count === 1 ? "1 dog" : `${count} dogs`;
  part("[data-part=mean]").src = picture;
  part("output").textContent = dogs;
  part("input").setAttribute("aria-valuetext", dogs);
  part(".told").textContent = count === 1 ? "One sharp dog: hair that could be there."
    : `The mean of ${count} sharp dogs: where their hair disagrees it blurs, as in the picture that was judged pixel by pixel.`;
}

function showStage() {
  const at = Number(ofGan("input").value), { stages, losses } = run, { images, pictures } = stages[at];
  showRow(ofGan(".drawn"), pictures, "Drawn by the GAN");
  const nearest = losses.findIndex(([seen]) => seen >= images), here = nearest < 0 ? losses.length - 1 : nearest;
  ofGan("output").textContent = images.toLocaleString("en");
  ofGan("input").setAttribute("aria-valuetext", `after ${images} pictures`);
  drawCurves(ofGan(".curves"), { dogs: losses.map((one) => one[1]), likeness: losses.map((one) => one[2]) }, {
    at: here, name: "The losses of the GAN's two networks along its training",
  });
  ofGan(".told").textContent = `After ${images.toLocaleString("en")} pictures: the drawing network's loss is ${losses[here][1].toFixed(1)}, `
    + `the critic's ${losses[here][2].toFixed(1)}. In balance they would be 0.7 and 1.4.`;
}

/** @param {number} seed */
async function showGan(seed) {
  const answer = await insist(() => gan(seed));
  if (!answer) return;
  run = answer;
  ofGan("input").max = `${run.stages.length - 1}`;
  enable("gan");
  showStage();
}

export const start = ofPhoto(hair, (answer) => {
  dog = answer;
  part("[data-part=crop]").src = answer.crop;
  part("[data-part=pixels]").src = answer.by_pixels;
  if (part("input").disabled) part("input").addEventListener("input", showMean);
  enable("blur");
  showMean();
});

export function startGan() {
  ofGan("input").addEventListener("input", showStage);
  ofGan("button").addEventListener("click", () => showGan(Math.floor(Math.random() * 2 ** 31)));
  showGan(0);
}
