// Part 1 of the lesson: a dog is encoded in only a few numbers. One answer contains all pictures; the slider chooses.

import { allInside, enable, inside, ofPhoto } from "./lesson-page.js";
import { squeeze } from "./lesson-server.js";

/** @typedef {import("./lesson-server.js").Squeezed} Squeezed */

const part = inside("squeeze");
/** @type {Squeezed} */
let squeezed;

const number = (/** @type {number} */ n) => n.toLocaleString("en");

function show() {
  const all = 3 * squeezed.size ** 2, { kept, picture, psnr } = squeezed.steps[Number(part("input").value)];
  part("[data-part=picture]").src = picture;
  part("output").textContent = `${kept}`;
  part("input").setAttribute("aria-valuetext", `${kept} numbers`);
  part(".told").textContent = `${number(all)} : ${kept}. One number is left of every ${number(Math.round(all / kept))}. `
    + `What comes out is as like as ${psnr.toFixed(1)} dB (PSNR; each 6 dB halve the error).`;
}

export const start = ofPhoto(squeeze, (answer) => {
  squeezed = answer;
  part("[data-part=crop]").src = answer.crop;
  part(".size").textContent = `${answer.size} × ${answer.size}`;
  for (const node of allInside("squeeze", ".all")) node.textContent = number(3 * answer.size ** 2);
  if (part("input").disabled) part("input").addEventListener("input", show);
  enable("squeeze");
  show();
});
