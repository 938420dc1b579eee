// The dog that the page begins with: that of its address, else the last one that this browser saw.

import { drawSeed, goTo } from "./dog.js";
import { readLink, sameDog } from "./math.js";
import { say } from "./page.js";
import { changed, state, subscribe } from "./store.js";

/** @typedef {{ c: number[], seed: number | null, temperature: number }} Last */

const key = () => `dogvae:last:${state.facts.weights}`; // of the browser's storage; numbers of other models mean other dogs
/** @type {number[] | null} */
let linked = null; // the coordinates of the dog that the address tells

/** @returns {Last | null} */
function readLast() {
  try {
    const last = JSON.parse(localStorage.getItem(key()) ?? "null");
    return last?.c?.length === state.facts.names.length && last.c.every(Number.isFinite) ? last : null;
  } catch {
    return null; // storage is closed to this page, or holds what we did not write
  }
}

function keepLast() {
  const { c, seed, temperature, settled } = state.dog;
  if (!settled) return;
  if (linked && linked !== c) isLinked("");
  try {
    localStorage.setItem(key(), JSON.stringify({ c, seed: changed() ? null : seed, temperature }));
  } catch { /* then it is not brought back */ }
}

/** The address tells the dog on the page by this link; with none, it tells of no dog any more. @param {string} link */
export function isLinked(link) {
  const address = new URL(location.href);
  address.searchParams.delete("dog");
  address.hash = "";
  if (link) address.searchParams.set("dog", link.slice("?dog=".length));
  window.history.replaceState(null, "", address);
  linked = link ? state.dog.c : null;
}

/** Fetches the dog of the page's address; false where that tells of none. */
async function followLink() {
  const link = readLink(location.search + location.hash, state.facts.weights, state.facts.names.length);
  if (!link) return false;
  if (link.error) say(link.error, true);
  else if (link.c) await goTo(link.c, "The dog of the link.");
  else if (link.seed !== undefined) await drawSeed(link.seed, link.temperature, new Set());
  linked = state.dog.c;
  return true;
}

export async function beginWithLastDog() {
  const last = readLast(), first = state.dog.edit;
  window.addEventListener("hashchange", followLink);
  const isTold = await followLink();
  if (!isTold && last && state.dog.edit === first && !sameDog(last.c, state.dog.c)) {
    const { seed, temperature, c } = last;
    await (seed === null ? goTo(c, "Your last dog.") : drawSeed(seed, temperature, new Set()));
  }
  subscribe(["dog"], keepLast);
}
