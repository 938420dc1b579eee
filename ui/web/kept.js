// Hearts and the tab Kept: the visitor's favourite dogs, stored in this browser only. The same numbers are another dog
// to another model, so each model has its own favourites.

import { goTo, whenSettled } from "./dog.js";
import { amendSteps, remember } from "./history.js";
import { sameDog } from "./math.js";
import { build, button, onClick, part, parts, saveFile, say } from "./page.js";
import { ask, contactSheet, thumbnails } from "./server.js";
import { state, subscribe, update } from "./store.js";

/** @import { Favourite, Pictured } from "./store.js" */

const MAX_FAVOURITES = 64;
const HEART = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 20C8 17 4 13.5 4 9.5a4 4 0 0 1 8-1.5 4 4 0 0 1 8 1.5C20 13.5 16 17 12 20z"/></svg>';
// Keys in the browser's storage begin so; the model's id follows.
const PREFIX = "dogvae:favourites:";
const key = () => PREFIX + state.facts.weights;

/** @type {Favourite[]} */
let stored = []; // as last read or written

/** @returns {Favourite[]} those of this model */
function readFavourites() {
  try {
    const kept = JSON.parse(localStorage.getItem(key()) ?? "[]");
    return kept.filter(isFavourite).slice(0, MAX_FAVOURITES);
  } catch {
    return []; // storage is blocked, or holds something else
  }
}

/** @param {any} item read from storage */
const isFavourite = (item) => item?.c?.length === state.facts.names.length && item.c.every(Number.isFinite)
  && /^data:image/.test(item.picture);

/** How many favourites of other models the storage holds. */
function countForeign() {
  try {
    const others = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX) && name !== key());
    return others.reduce((sum, name) => sum + JSON.parse(localStorage.getItem(name) ?? "[]").length, 0);
  } catch {
    return 0;
  }
}

function writeFavourites() {
  if (state.favourites === stored) return;
  stored = state.favourites;
  try {
    localStorage.setItem(key(), JSON.stringify(stored));
  } catch {
    say("This browser lets the page keep nothing: the favourites last until the page is closed.", true);
  }
}

/** The favourite with these coordinates, if there is one. @param {number[]} c */
const favouriteOf = (c) => state.favourites.find((one) => sameDog(one.c, c));

/** @param {Favourite} favourite */
function remove(favourite) {
  remember();
  say("Removed from your favourites; Undo brings it back.");
  update({ favourites: state.favourites.filter((one) => one !== favourite) });
}

/**
 * Adds a dog to the favourites, or removes it.
 * @param {number[]} c @param {() => Promise<string | undefined>} picture fetches a small one
 */
async function toggle(c, picture) {
  const favourite = favouriteOf(c);
  if (favourite) return remove(favourite);
  if (state.favourites.length >= MAX_FAVOURITES) {
    return say(`There are ${MAX_FAVOURITES} favourites, and no room for more; remove one first.`, true);
  }
  const small = await picture();
  if (!small || favouriteOf(c)) return; // it was tapped twice
  remember();
  say("Kept, in this browser only.");
  update({ favourites: [...state.favourites, { c, picture: small }] });
}

async function toggleDog() {
  await whenSettled();
  const { c } = state.dog;
  await toggle(c, async () => (await ask(thumbnails([c], true)))?.pictures[0]);
}

/** @type {WeakMap<HTMLElement, number[]>} */
const dogs = new WeakMap(); // the coordinates of the dog of each heart on a small picture

/** A heart to put on the small picture of a dog. @param {Pictured} dog @param {string} label */
export function heart(dog, label) {
  const made = build(`<button type="button" class="heart" aria-label="${label}">${HEART}</button>`);
  made.addEventListener("click", () => toggle(dog.c, async () => dog.picture));
  dogs.set(made, dog.c);
  showHeart(made, dog.c);
  return made;
}

/** @param {HTMLElement} node @param {number[]} c */
const showHeart = (node, c) => node.setAttribute("aria-pressed", `${Boolean(favouriteOf(c))}`);

function showOwnHeart() {
  if (state.dog.settled) showHeart(part("#keep"), state.dog.c);
}

function showHearts() {
  showOwnHeart();
  for (const node of parts(".heart")) showHeart(node, /** @type {number[]} */ (dogs.get(node)));
}

/** @param {Favourite} favourite @param {number} i */
function favouriteItem(favourite, i) {
  const item = build(`<div><button type="button"><img alt="Favourite ${i + 1}"></button>
    <button type="button" class="remove" aria-label="Remove favourite ${i + 1}"><span>&#215;</span></button></div>`);
  const [choose, discard] = item.querySelectorAll("button");
  choose.firstElementChild?.setAttribute("src", favourite.picture);
  choose.addEventListener("click", () => goTo(favourite.c, "One of your favourites."));
  discard.addEventListener("click", () => remove(favourite));
  return item;
}

function showFavourites() {
  const none = state.favourites.length === 0;
  part("#favourites").replaceChildren(...state.favourites.map(favouriteItem));
  part("#no-favourites").hidden = !none;
  button("#sheet").disabled = button("#reset-favourites").disabled = none;
}

async function saveSheet() {
  const answer = await ask(contactSheet(state.favourites.map(({ c }) => c)));
  if (answer) saveFile(answer.picture, "favourite dogs.png");
}

/** Loads the favourites from storage. Undo does not take back what another window of this browser changed there. */
function takeStored() {
  const favourites = stored = readFavourites();
  update({ favourites });
  amendSteps((step) => ({ ...step, favourites }));
}

export function start() {
  subscribe(["favourites"], () => {
    writeFavourites();
    showFavourites();
  });
  subscribe(["favourites"], showHearts);
  subscribe(["dog"], showOwnHeart);
  takeStored();
  window.addEventListener("storage", (event) => event.key === key() && takeStored());
  onClick("#keep", toggleDog);
  onClick("#sheet", saveSheet);
  onClick("#reset-favourites", () => {
    remember();
    say("All favourites are removed; Undo brings them back.");
    update({ favourites: [] });
  });
}

export function tellOfOtherFavourites() {
  const foreign = countForeign();
  if (foreign) say(`${foreign} of your favourites are dogs of another model; they are kept, and come back with it.`);
}
