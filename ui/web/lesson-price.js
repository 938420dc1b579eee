// Part 3 of the lesson: the same small model, trained at several prices of KL. One answer contains all
// of them; the slider chooses.

import { drawCloud, drawCurves, enable, inside, ofPhoto, showRow } from "./lesson-page.js";
import { price } from "./lesson-server.js";

/** @typedef {import("./lesson-server.js").Prices} Prices */

const part = inside("price");
/** @type {Prices} */
let prices;

function show() {
  const at = Number(part("input").value), { models, chosen, seed: first } = prices, here = models[at];
  drawCloud(part(".cloud svg"), here.points);
  showRow(part(".drawn"), here.pictures, "Random dog");
  part("[data-part=rebuilt]").src = here.rebuilt;
  part("output").textContent = `${here.price}`;
  part("input").setAttribute("aria-valuetext", `a price of ${here.price}`);
  drawCurves(part(".curves"), { dogs: models.map((one) => one.dogs), likeness: models.map((one) => one.likeness) }, {
    at, marks: [[first, "the first version’s"], [chosen, "a good price"]],
    name: "Over the price: in how many random pictures a dog is seen, and the likeness",
  });
  const words = { 0: "An autoencoder: nothing is to be paid. ", [first]: "The price of the first version, next to nothing. ", [chosen]: "A good price. " };
  const dear = at === models.length - 1 ? "Too dear: the numbers tell nothing any more, and every dog is the same, the mean one. " : "";
  part(".told").textContent = `${words[at] ?? dear}Another network sees a dog in ${Math.round(100 * here.dogs)} of 100 random pictures${
    dear && ", as it does in the mean one"}; `
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
