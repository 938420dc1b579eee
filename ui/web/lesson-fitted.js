// Part 5 of the lesson: switches between random dogs from the bell curve and from where a model's real dogs lie.

import { build } from "./page.js";
import { enable, insist, inside, showRow } from "./lesson-page.js";
import { fitted } from "./lesson-server.js";

const part = inside("fitted");
const NAMES = ["autoencoder", "VAE at the price of the first version", "VAE at a good price"];

export async function start() {
  const answer = await insist(() => fitted(0));
  if (!answer) return;
  const rows = answer.rows.map(({ price }, i) => build(`<div><h3>${NAMES[i]} (${price})</h3><div class="row of-six drawn"></div></div>`));
  part(".rows").replaceChildren(...rows);
  const show = (/** @type {boolean} */ helped) => {
    part("button").setAttribute("aria-pressed", `${helped}`);
    answer.rows.forEach((one, i) => {
      const row = /** @type {HTMLElement} */ (rows[i].querySelector(".drawn"));
      showRow(row, helped ? one.fitted : one.bell, `${NAMES[i]}: random dog`);
    });
    part(".told").textContent = helped ? "Drawn where the dogs of each model were found to lie." : "Drawn from the bell curve.";
  };
  part("button").addEventListener("click", () => show(part("button").getAttribute("aria-pressed") !== "true"));
  enable("fitted");
  show(false);
}
