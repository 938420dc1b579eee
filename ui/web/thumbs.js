// Small pictures of dogs, to choose one from.

import { moveDog } from "./dog.js";
import { remember } from "./history.js";
import { build, part } from "./page.js";
import { ask, thumbnails } from "./server.js";

/**
 * Draws the dogs of these coordinates into a box; a click on one moves the dog on the page there.
 * @param {string} selector of the box
 * @param {number[][]} dogs
 * @param {string} label what one of them is called
 * @returns {Promise<boolean>} whether they came
 */
export async function offer(selector, dogs, label) {
  const box = part(selector);
  box.setAttribute("aria-busy", "true");
  const answer = await ask(thumbnails(dogs));
  box.removeAttribute("aria-busy");
  if (!answer) return false;
  box.replaceChildren(...answer.pictures.map((picture, i) => {
    const choice = build(`<button type="button"><img src="${picture}" alt="${label} ${i + 1}"></button>`);
    choice.addEventListener("click", () => {
      remember();
      moveDog(dogs[i]);
    });
    return choice;
  }));
  return true;
}
