// Part 4 of the lesson: averages sharp dogs into a blurry one, and shows a GAN whose training failed.

import { build } from "./page.js";
import { drawCurves, enable, insist, inside, ofPhoto, showRow } from "./lesson-page.js";
import { gan, hair } from "./lesson-server.js";

/** @typedef {import("./lesson-server.js").Hair} Hair */

const part = inside("blur"), ofGan = inside("gan");
/** @type {Hair} */
let dog;

function showMean() {
  const { count, picture } = dog.means[Number(part("input").value)], dogs = count === 1 ? "1 dog" : `${count} dogs`;
  part("[data-part=mean]").src = picture;
  part("output").textContent = dogs;
  part("input").setAttribute("aria-valuetext", dogs);
  part(".told").textContent = count === 1 ? "One sharp dog: hair that could be there."
    : `The mean of ${count} sharp dogs: where their hair disagrees it blurs, as in the picture that was judged pixel by pixel.`;
}

/** @param {import("./lesson-server.js").Gan} run */
function showRun({ stages, losses }) {
  const figures = stages.map(({ images, pictures }) => {
    const figure = build('<figure><div class="row of-two drawn"></div><figcaption></figcaption></figure>');
    const words = `after ${images.toLocaleString("en")} pictures`;
    showRow(/** @type {HTMLElement} */ (figure.querySelector(".drawn")), pictures, `Drawn by the GAN ${words}:`);
    /** @type {HTMLElement} */ (figure.querySelector("figcaption")).textContent = words;
    return figure;
  });
  ofGan(".strip").replaceChildren(...figures);
  const moments = stages.map(({ images }) => losses.findIndex(([seen]) => seen >= images));
  drawCurves(ofGan(".curves"), { dogs: losses.map((one) => one[1]), likeness: losses.map((one) => one[2]) }, {
    marks: moments.map((at, i) => [at < 0 ? losses.length - 1 : at, `${i + 1}`]),
    name: "The losses of the GAN's two networks along its training, and the four moments",
  });
  const [, drawing, critic] = losses[losses.length - 1];
  ofGan(".told").textContent = `At the end the loss of the one who draws is ${drawing.toFixed(1)}, the critic's ${critic.toFixed(2)}. `
    + "In balance they would be 0.7 and 1.4.";
}

/** @param {number} seed */
async function showGan(seed) {
  const answer = await insist(() => gan(seed));
  if (!answer) return;
  enable("gan");
  showRun(answer);
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
  ofGan("button").addEventListener("click", () => showGan(Math.floor(Math.random() * 2 ** 31)));
  showGan(0);
}
