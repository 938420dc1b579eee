// The tab Similar: offers eight random dogs like this one.

import { moveDog, reset, whenSettled } from "./dog.js";
import { remember } from "./history.js";
import { near } from "./math.js";
import { field, onClick } from "./page.js";
import { state } from "./store.js";
import { followDog } from "./tabs.js";
import { offer } from "./thumbs.js";

const COUNT = 8, FAR = "0.4";
/** @type {number[] | null} */
let shownFor = null; // the dog that the shown ones are like

async function showSimilar() {
  await whenSettled();
  const far = Number(field("#far").value), { c } = state.dog;
  const dogs = Array.from({ length: COUNT }, () => near(c, far, state.locked));
  const choose = (/** @type {number} */ i) => {
    remember();
    moveDog(dogs[i], { isAway: true });
  };
  if (await offer("#near", dogs, "Similar dog", choose)) shownFor = c;
}

export function start() {
  followDog("similar", () => shownFor?.join() === state.dog.c.join() || showSimilar());
  field("#far").addEventListener("change", showSimilar);
  onClick("#others", showSimilar);
  onClick("#reset-similar", () => {
    field("#far").value = FAR;
    reset();
  });
}
