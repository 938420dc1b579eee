// Shows small pictures of dogs, of which the visitor chooses one.

import { build, part } from "./page.js";
import { ask, thumbnails } from "./server.js";

/**
 * Draws the dogs of these coordinates into a box.
 * @param {string} selector of the box
 * @param {number[][]} dogs
 * @param {string} label names each of them to screen readers
 * @param {(i: number, picture: string) => void} choose is called for the one that is clicked
 * @returns {Promise<boolean>} whether they came
 */
export async function offer(selector, dogs, label, choose) {
  const box = part(selector);
  box.setAttribute("aria-busy", "true");
  const answer = await ask(thumbnails(dogs, true));
  box.removeAttribute("aria-busy");
  if (!answer) return false;
  box.replaceChildren(...answer.pictures.map((picture, i) => {
    const choice = build(`<button type="button"><img src="${picture}" alt="${label} ${i + 1}"></button>`);
    choice.addEventListener("click", () => choose(i, picture));
    return choice;
  }));
  return true;
}
