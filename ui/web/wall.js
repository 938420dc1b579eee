// The tab Twelve: a wall of random dogs to choose from. They are shown as they come, for a busy server takes its time.

import { drawWith, randomSeed } from "./dog.js";
import { heart } from "./kept.js";
import { build, field, onClick, part, say } from "./page.js";
import * as server from "./server.js";
import { state } from "./store.js";
import { whenOpened } from "./tabs.js";

const COUNT = 12;
const PIECE = 4; // dogs per request
const RETRY_MS = 1500;

/** @type {number[]} */
let seeds = []; // of the dogs on the wall
// Seeds shown since the page was opened: none is shown twice.
/** @type {Set<number>} */
const seen = new Set();
// How many walls were begun; an older one is given up.
let walls = 0;

/** Random seeds that were not shown yet. */
function newSeeds() {
  const found = new Set();
  while (found.size < COUNT) {
    const seed = randomSeed();
    if (!seen.has(seed)) found.add(seed);
  }
  for (const seed of found) seen.add(seed);
  return [...found];
}

/**
 * Asks for dogs, again while the server is too busy or does not answer. Null on another error or a newer wall.
 * @param {server.Wall} wish
 * @param {number} wall the number of the wall that they are for
 */
async function insist(wish, wall) {
  for (;;) {
    const answer = await server.wall(wish).catch((error) => /** @type {server.Walled & server.Failure} */ (
      /** @type {unknown} */ ({ error: server.reason(error), busy: true })));
    if (wall !== walls || answer.dropped) return null;
    if (!answer.error) return answer;
    say(answer.error, true);
    if (!answer.busy) return null;
    await new Promise((wait) => setTimeout(wait, RETRY_MS));
  }
}

/** @param {number[]} [wanted] seeds of the dogs; without them new ones */
async function drawWall(wanted = newSeeds()) {
  const wall = ++walls, temperature = Number(field("#temperature").value), box = part("#wall");
  const keep = [...state.locked].map((index) => [index, state.dog.c[index]]);
  seeds = wanted;
  const places = seeds.map(() => build('<div class="empty"></div>'));
  box.replaceChildren(...places);
  box.setAttribute("aria-busy", "true");
  for (let first = 0; first < COUNT; first += PIECE) {
    const answer = await insist({ seeds: seeds.slice(first, first + PIECE), temperature, keep }, wall);
    if (wall !== walls) return;
    if (!answer) { // what is wrong was said; the tab, opened again, tries anew
      seeds = [];
      for (const place of places) place.remove();
      break;
    }
    answer.pictures.forEach((picture, i) => {
      const choose = () => drawWith(wanted[first + i], temperature, keep);
      places[first + i].replaceWith(item(picture, answer.dogs[i], first + i, choose));
    });
  }
  box.removeAttribute("aria-busy");
}

/** @param {string} picture @param {number[]} c @param {number} i @param {() => void} choose */
function item(picture, c, i, choose) {
  const made = build(`<div><button type="button"><img src="${picture}" alt="Dog ${i + 1} of ${COUNT}"></button></div>`);
  made.firstElementChild?.addEventListener("click", choose);
  made.append(heart({ c, picture }, `Keep dog ${i + 1}`));
  return made;
}

export function start() {
  whenOpened("twelve", () => { if (!seeds.length) drawWall(); });
  onClick("#others-twelve", () => drawWall());
  field("#temperature").addEventListener("change", () => { if (seeds.length) drawWall(seeds); });
}
