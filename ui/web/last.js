// Chooses the dog that the page begins with: the one in its address, else the last one shown in this browser.

import { drawSeed, drawWith, goTo } from "./dog.js";
import { moveAsLinked } from "./looks.js";
import { readLink, sameDog } from "./math.js";
import { seedOfDog, state, subscribe } from "./store.js";

/** @typedef {{ c: number[], seed: number | null, temperature: number }} Last */

// In the browser's storage. The same numbers are another dog to another model, so each model has its own key.
const key = () => `dogvae:last:${state.facts.weights}`;
/** @type {number[] | null} */
let linked = null; // coordinates of the dog in the address

/** @returns {Last | null} */
function readLast() {
  try {
    const last = JSON.parse(localStorage.getItem(key()) ?? "null");
    return last?.c?.length === state.facts.names.length && last.c.every(Number.isFinite) ? last : null;
  } catch {
    return null; // storage is blocked, or holds something else
  }
}

function keepLast() {
  const { c, temperature, settled } = state.dog;
  if (!settled) return;
  if (linked && linked !== c) setAddress("");
  try {
    localStorage.setItem(key(), JSON.stringify({ c, seed: seedOfDog(), temperature }));
  } catch { /* storage is blocked: the dog is not kept */ }
}

/** Puts the link to the dog on the page into the address; an empty link removes the dog from it. @param {string} link */
export function setAddress(link) {
  const address = new URL(location.href);
  for (const name of ["dog", "looks", "breed"]) address.searchParams.delete(name);
  address.hash = "";
  if (link) address.searchParams.set("dog", link.slice("?dog=".length));
  window.history.replaceState(null, "", address);
  linked = link ? state.dog.c : null;
}

/** @typedef {NonNullable<ReturnType<typeof readLink>>} Link */

const linkOfAddress = () => readLink(location.search + location.hash, state.facts.weights, state.facts.names.length);

/** @param {Link} link */
async function follow({ error, c, seed, temperature }) {
  if (error) return moveAsLinked(location.search, error);
  const before = state.dog;
  const shown = await (c ? goTo(c, "The dog of the link.") : drawSeed(/** @type {number} */ (seed), temperature, new Set()));
  const { edit } = state.dog;
  if (shown) await moveAsLinked(location.search);
  const isThere = shown && state.dog.edit === edit; // not if the visitor has gone on to another dog
  linked = isThere ? state.dog.c : before.c; // any other dog takes the link out of the address
  if (state.dog.edit !== before.edit) keepLast();
}

/** @param {Last} last */
const bringBack = ({ c, seed, temperature }) =>
  (seed === null ? goTo(c, "Your last dog.", { unasked: true }) : drawWith(seed, temperature, [], { unasked: true }));

export async function beginWithLastDog() {
  const link = linkOfAddress(), last = readLast();
  if (last && (!link || link.error) && !sameDog(last.c, state.dog.c)) await bringBack(last);
  if (link) await follow(link);
  subscribe(["dog"], keepLast);
  window.addEventListener("hashchange", () => { // a link of version 0.1 (#dog=...), pasted into the address bar
    const pasted = linkOfAddress();
    if (pasted) follow(pasted);
  });
}
