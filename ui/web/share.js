// Saves the dog's picture, shares a link to this dog, and saves and opens its latent (the model's numbers).

import { fetchDog, whenSettled } from "./dog.js";
import { setAddress } from "./last.js";
import { dogLink, seedLink } from "./math.js";
import { field, onClick, onFile, part, saveBlob, saveFile, say } from "./page.js";
import { ask, enlarged, openLatent } from "./server.js";
import { seedOfDog, state } from "./store.js";

const MAX_LATENT_BYTES = 100e3;

/** The width of saved pictures and films in pixels; 0: unscaled. */
export const saveSize = () => Number(field("#size").value);

/** Puts a link to the dog into the address, and opens the device's share menu or else copies the link. */
async function share() {
  await whenSettled();
  const { weights } = state.facts, { temperature, c } = state.dog, seed = seedOfDog();
  setAddress(seed === null ? dogLink(weights, c) : seedLink(weights, seed, temperature));
  const url = location.href;
  const shared = await navigator.share?.({ title: "A dog by DogVAE", url }).then(() => true, (error) => error.name === "AbortError");
  if (shared) return say("The link to this dog is in the address bar, too.");
  const copied = await navigator.clipboard?.writeText(url).then(() => true, () => false);
  say(copied ? "The link to this dog is copied." : "The link to this dog is in the address bar.");
}

/** @param {string} ending */
const fileName = (ending) => `dog-${seedOfDog() ?? "edited"}.${ending}`;

async function savePicture() {
  await whenSettled();
  const name = fileName("png"), answer = await ask(enlarged(state.dog.latent, saveSize()));
  if (!answer) return;
  saveFile(answer.picture, name);
  say("The picture is saved.");
}

async function saveLatent() {
  await whenSettled();
  saveBlob(new Blob([JSON.stringify(state.dog.latent)], { type: "application/json" }), fileName("json"));
}

/** @param {File} file */
async function loadLatent(file) {
  if (file.size > MAX_LATENT_BYTES) return say("This file is too large to hold a dog's numbers.", true);
  let latent;
  try {
    latent = JSON.parse(await file.text());
  } catch {
    return say("This file does not hold a dog's numbers.", true);
  }
  await fetchDog(() => openLatent(latent), () => "The dog of this file.");
}

/** Brings the menu More into view, and closes it after a choice, a click outside it, or Escape. */
function startMenu() {
  const menu = /** @type {HTMLDetailsElement} */ (part("#more"));
  menu.addEventListener("toggle", () => { if (menu.open) part("#more .menu").scrollIntoView({ block: "nearest" }); });
  document.addEventListener("click", ({ target }) => {
    const inMenu = target instanceof Element && target.closest("#more");
    if (!inMenu || target.closest("button, .button")) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}

export function start() {
  startMenu();
  onClick("#link", share);
  onClick("#save-png", savePicture);
  onClick("#save-latent", saveLatent);
  onFile("#load-latent input", loadLatent);
}
