// Links that bring the very dog back, and files: its picture and its latent (the model's numbers).

import { drawSeed, fetchDog, goTo, whenSettled } from "./dog.js";
import { dogLink, readLink, seedLink } from "./math.js";
import { onClick, onFile, saveFile, say } from "./page.js";
import { openLatent } from "./server.js";
import { changed, state } from "./store.js";

const MAX_LATENT_BYTES = 100e3;
const KEEP_URL_MS = 10000; // until the browser has read a file that it saves

/** The seed of the dog on the page; null where it is not, or no longer, just a seed's. */
const seedOfDog = () => (changed() ? null : state.dog.seed);

async function copyLink() {
  await whenSettled();
  const { weights } = state.facts, { temperature, c } = state.dog, seed = seedOfDog();
  window.history.replaceState(null, "", seed === null ? dogLink(weights, c) : seedLink(weights, seed, temperature));
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  say(copied ? "The link to this dog is copied." : "The link to this dog is in the address bar.");
}

/** Fetches the dog of the page's address, if there is one. */
export function followLink() {
  const link = readLink(location.hash, state.facts.weights, state.facts.names.length);
  if (link?.error) say(link.error, true);
  else if (link?.c) goTo(link.c, "The dog of the link.");
  else if (link?.seed !== undefined) drawSeed(link.seed, link.temperature, new Set());
}

/** @param {string} ending */
const fileName = (ending) => `dog-${seedOfDog() ?? "edited"}.${ending}`;

async function savePicture() {
  await whenSettled();
  const { picture } = state.dog; // of the first dog, the lossless picture may not have come yet
  saveFile(picture, fileName(picture.startsWith("data:image/png") ? "png" : "jpg"));
}

async function saveLatent() {
  await whenSettled();
  const address = URL.createObjectURL(new Blob([JSON.stringify(state.dog.latent)], { type: "application/json" }));
  saveFile(address, fileName("json"));
  setTimeout(() => URL.revokeObjectURL(address), KEEP_URL_MS);
}

/** @param {File} file */
async function loadLatent(file) {
  if (file.size > MAX_LATENT_BYTES) return say("This file is too large to be a latent, which is a list of 256 numbers.", true);
  let latent;
  try {
    latent = JSON.parse(await file.text());
  } catch {
    return say("This file is not a latent: it is no valid JSON.", true);
  }
  await fetchDog(() => openLatent(latent), () => "Latent loaded.");
}

export function start() {
  onClick("#link", copyLink);
  onClick("#save-png", savePicture);
  onClick("#save-latent", saveLatent);
  onFile("#load-latent input", loadLatent);
  window.addEventListener("hashchange", followLink);
}
