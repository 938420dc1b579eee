// Part 3 of the lesson: the same small model at several prices. All of it comes at once; the slider chooses.

import { drawCloud, drawCurves, enable, inside, ofPhoto, priceText, showRow } from "./lesson-page.js";
import { price } from "./lesson-server.js";

/** @typedef {import("./lesson-server.js").Prices} Prices */

const part = inside("price");
/** @type {Prices} */
let prices;

function show() {
  const at = Number(part("input").value), { models, chosen, seed } = prices, here = models[at];
  drawCloud(part(".cloud svg"), here.points);
  showRow(part(".drawn"), here.pictures, "Random dog");
  part("[data-part=rebuilt]").src = here.rebuilt;
  part("output").textContent = priceText(here.price);
  part("input").setAttribute("aria-valuetext", `a price of ${priceText(here.price)}`);
  drawCurves(part(".curves"), { dogs: models.map((one) => -Math.log(one.far)), likeness: models.map((one) => one.likeness) }, {
    at, marks: [[seed, "the seed’s"], [chosen, "a good price"]],
    name: "Over the price: how near random dogs are to photos, and the likeness",
  });
  const words = { 0: "An autoencoder: nothing is to be paid. ", [seed]: "The seed’s price, next to nothing. ", [chosen]: "A good price. " };
  const dear = at === models.length - 1 ? "Too dear: the numbers tell nothing any more. " : "";
  part(".told").textContent = `${words[at] ?? dear}To a network, random dogs are ${here.far.toFixed(1)} times as far from photos as blurred photos are; `
    + `likeness ${here.likeness.toFixed(1)} dB.`;
}

export const start = ofPhoto(price, (answer) => {
  const slider = part("input"), first = slider.disabled;
  prices = answer;
  slider.max = `${answer.models.length - 1}`;
  part("[data-part=crop]").src = answer.crop;
  if (first) slider.addEventListener("input", show);
  enable("price");
  show();
});
