// The tab Mix: the visitor fills three slots with dogs A, B and C, morphs from A to B, or makes A more like B and less
// like C. The browser mixes the coordinates; only the pictures come from the server.

import { NO_SEED, isSeed, moveDog, randomSeed, reset, seedDog, whenSettled } from "./dog.js";
import { start as startFilms } from "./film.js";
import { amendSteps, oneStep, remember } from "./history.js";
import { startList } from "./list.js";
import { isBehind } from "./live.js";
import { likeness, slerp } from "./math.js";
import { button, field, image, isShown, onClick, onFile, part, parts, say } from "./page.js";
import * as server from "./server.js";
import { NO_SLOTS, state, subscribe, update } from "./store.js";
import { whenOpened } from "./tabs.js";

/** @import { Slot } from "./store.js" */
/** @typedef {"a" | "b" | "c"} Name */

const NAMES = /** @type {Name[]} */ (["a", "b", "c"]);
// A morph that plays goes from A to B in this time.
const PASS_MS = 3000;
/** @type {Slot | null} */
let ordinary = null; // the dog that serves as C if none was chosen
const choices = { a: 0, b: 0, c: 0 }; // counts those for each slot: an answer to an earlier one is ignored

// ---- The three slots
/** @param {Name} name */
const slotShown = (name) => state.slots[name] ?? (name === "c" ? ordinary : null);

function showSlots() {
  for (const name of NAMES) {
    const slot = slotShown(name), picture = image(`[data-slot=${name}] img`);
    picture.hidden = !slot;
    if (slot) picture.src = slot.picture;
    part(`[data-slot=${name}] figcaption`).textContent = slot?.label ?? "empty";
  }
  const ready = state.slots.a && state.slots.b;
  for (const control of parts("#mix [data-ready]")) /** @type {HTMLButtonElement} */ (control).disabled = !ready;
}

/** Sets the slots, and both sliders to 0. @param {typeof state.slots} slots */
function fillSlots(slots) {
  update({ slots, fields: { ...state.fields, morph: "0", like: "0" } });
}

/** @param {Name} name @param {Slot | null} slot */
function fill(name, slot) {
  remember();
  fillSlots({ ...state.slots, [name]: slot });
}

const thisDog = () => ({ c: state.dog.c, picture: state.dog.picture, label: "this dog" });

/** @param {number} seed @returns {Promise<Slot | null>} */
async function slotOf(seed) {
  const dog = await seedDog(seed);
  return dog && { ...dog, label: `seed ${seed}` };
}

/** Fills a slot. @param {Name} name @param {string} source chosen from its list */
async function fillFrom(name, source) {
  const choice = ++choices[name];
  if (source === "none") return fill(name, null);
  if (source === "photo") return part("#slot-photo").click();
  if (source.startsWith("kept ")) return fill(name, { ...state.favourites[Number(source.slice(5))], label: "favourite" });
  const typed = field("#slot-seed").value;
  if (source === "seed" && !isSeed(typed)) return say(NO_SEED, true);
  if (source === "this") await whenSettled();
  const slot = source === "this" ? thisDog() : await slotOf(source === "seed" ? Number(typed) : randomSeed());
  if (slot && choice === choices[name]) fill(name, slot);
}

/** Fills a slot with the dog in a photo. @param {Name} name @param {File} file */
async function fillFromPhoto(name, file) {
  if (server.fileProblem(file)) return say(server.fileProblem(file), true);
  say("Looking at the photo …");
  const choice = ++choices[name];
  const look = async () => {
    const photo = await server.inMemory(file);
    const found = await server.reconstruct(photo, {});
    const noHead = found.photo && found.error; // then take the middle: this tab has no box to draw
    return noHead ? server.reconstruct(photo, { whole: true }) : found;
  };
  const answer = await server.ask(look());
  if (!answer) return;
  say("");
  const label = answer.heads?.length ? "your photo" : "the middle of your photo";
  if (choice === choices[name]) fill(name, { c: answer.c, picture: answer.picture, label });
}

/** The entries of a slot's list: [value, text]. @param {Name} name @returns {string[][]} */
const sources = (name) => [
  ["", "Choose …"], ["this", "This dog"], ["random", "A random dog"], ["seed", "The seed below"], ["photo", "A photo …"],
  ...state.favourites.map((_, i) => [`kept ${i}`, `Favourite ${i + 1}`]), ...(name === "c" ? [["none", "An ordinary dog"]] : []),
];

function startSlots() {
  /** @type {Name} */
  let photoFor = "a"; // the slot for which the visitor is choosing a photo
  onFile("#slot-photo", (file) => fillFromPhoto(photoFor, file));
  for (const name of NAMES) {
    const list = /** @type {HTMLSelectElement} */ (part(`[data-slot=${name}] select`));
    startList(list, () => sources(name), (source) => {
      if (source === "photo") photoFor = name;
      fillFrom(name, source);
    });
  }
}

/** Fills slots unasked, so Undo does not empty them again. @param {typeof state.slots} slots */
function offerSlots(slots) {
  const before = state.slots;
  update({ slots });
  amendSteps((step) => (step.slots === before ? { ...step, slots } : step));
}

/** Fills A and B if both are empty, so that there is something to mix when the tab is opened. */
async function showMix() {
  await whenSettled();
  if (state.slots.a || state.slots.b) return;
  offerSlots({ ...state.slots, a: thisDog() });
  seedDog(0, 0).then((dog) => {
    ordinary = dog && { ...dog, label: "an ordinary dog" };
    showSlots();
  });
  const b = await slotOf(state.facts.partner);
  if (b && !state.slots.b) offerSlots({ ...state.slots, b });
}

// ---- The morph from A to B. It moves the dog on the page, so that all other tabs can go on from there.
/** @param {number} t 0 at A, 1 at B */
function morphTo(t) {
  const { a, b } = state.slots;
  if (!a || !b) return;
  update({ fields: { ...state.fields, morph: `${t}`, like: "0" } });
  moveDog(slerp(a.c, b.c, t), { isAway: true });
}

let frame = 0; // the id of the next one in the animation

/** Morphs back and forth while `state.playing`; as long as a move waits to be sent, no other is added. */
function play() {
  /** @type {number} */
  let began;
  const show = (/** @type {number} */ now) => {
    if (!state.slots.a || !state.slots.b || !isShown()) return update({ playing: false });
    began ??= now - Number(field("#morph").value) * PASS_MS;
    const t = 1 - Math.abs(1 - ((now - began) / PASS_MS) % 2);
    field("#morph").value = `${t}`;
    if (!isBehind()) morphTo(t);
    frame = requestAnimationFrame(show);
  };
  frame = requestAnimationFrame(show);
}

function togglePlaying() {
  if (!state.playing) remember();
  update({ playing: !state.playing });
}

function startMorph() {
  subscribe(["playing"], () => {
    cancelAnimationFrame(frame);
    button("#play").textContent = state.playing ? "Stop" : "Play";
    if (state.playing) play();
  });
  const touch = oneStep(field("#morph"));
  field("#morph").addEventListener("input", () => {
    update({ playing: false });
    touch();
    morphTo(Number(field("#morph").value));
  });
  onClick("#play", togglePlaying);
}

// ---- Likeness
function startLikeness() {
  const touch = oneStep(field("#like"));
  field("#like").addEventListener("input", () => {
    const { a, b } = state.slots, c = slotShown("c"), like = field("#like").value;
    if (!a || !b) return;
    update({ playing: false });
    touch();
    update({ fields: { ...state.fields, like, morph: "0" } });
    moveDog(likeness(a.c, b.c, c?.c, Number(like)), { isAway: true });
  });
  onClick("#reset-mix", () => {
    reset();
    for (const name of NAMES) choices[name] += 1;
    fillSlots(NO_SLOTS);
  });
}

export function start() {
  subscribe(["slots"], showSlots);
  whenOpened("mix", showMix);
  startSlots();
  startMorph();
  startLikeness();
  startFilms();
  showSlots();
}
