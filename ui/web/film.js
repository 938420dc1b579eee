// Saves the morph from A to B (tab Mix) as a file: an animated GIF or an MP4.

import { onClick, part, saveFile, say } from "./page.js";
import * as server from "./server.js";
import { saveSize } from "./share.js";
import { state } from "./store.js";

// LOOK_MS: between two requests for the progress.
const FRAMES = 36, LOOK_MS = 250;
// How many films were made so far. Each gets its own name, by which the page asks for its progress.
let films = 0;

/** @param {"gif" | "mp4"} kind */
async function saveFilm(kind) {
  const { a, b } = state.slots;
  if (!a || !b) return;
  const name = `${server.PAGE} ${++films}`, bar = /** @type {HTMLProgressElement} */ (part("#film"));
  const watch = setInterval(async () => {
    const share = await server.filmProgress(name);
    if (!bar.hidden) bar.value = Math.max(bar.value, share);
  }, LOOK_MS);
  bar.value = 0;
  bar.hidden = false;
  say(`Making the ${kind === "gif" ? "GIF" : "MP4"} …`);
  const answer = await server.ask(server.film({ name, kind, frames: FRAMES, side: saveSize(), dogs: [a.c, b.c] }));
  clearInterval(watch);
  bar.hidden = true;
  if (!answer) return;
  saveFile(answer.file, `dogs.${kind}`);
  say("The film is saved: there and back, ready to loop.");
}

export function start() {
  onClick("#gif", () => saveFilm("gif"));
  onClick("#mp4", () => saveFilm("mp4"));
}
