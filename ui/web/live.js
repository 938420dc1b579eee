// Fetches pictures while the dog moves. A few numbered requests are under way at once. Only the newest move waits to be
// sent. An answer older than the shown picture is dropped. When moves stop, a lossless picture of the last one follows.

import { isFlushed, isOpen, openChannel } from "./channel.js";
import { undo } from "./history.js";
import { hasProblem, say } from "./page.js";
import { showMoving } from "./picture.js";
import * as server from "./server.js";
import { numbers, state, subscribe, update } from "./store.js";

/** @import { Dog } from "./store.js" */
/** @typedef {Awaited<ReturnType<typeof server.move>>} Answer */

const REST_MS = 90, RETRY_MS = 1500;
const AT_ONCE = 12;
// Standard deviations a second: this moves a slider from end to end in two seconds.
const FAST = 3;
// Roughly how many standard deviations the map is wide.
const MAP_WIDTH = 6;
const AWAY = "The server does not answer just now; your dog is kept, and the page tries again.";

// Numbers of the last move that was sent, and of the one whose picture is shown.
let sent = 0, shown = 0;
// Moves under way. Requests for the lossless picture do not count, as they must not delay a move.
let moving = 0;
// Running average of the ms that an answer spends outside the server.
let network = 10;
let restTimer = 0;
let last = { space: "", values: /** @type {number[]} */ ([]), at: 0 }; // the last move that was sent
/** @type {{ still: boolean } | null} */
let wanted = null; // the move that waits to be sent; still: for a lossless picture

/** Whether a move waits to be sent; another one would only replace it. */
export const isBehind = () => wanted !== null;

/**
 * Whether one more move may be under way. Of those that came over the channel only the newest waits at the server, which
 * so begins the next picture with the latest numbers: AT_ONCE are what a drag makes in the round trip of a slow network.
 * Each post is answered, so more of them help on a slow network, but not with a slow or crowded server.
 */
function hasRoom() {
  if (isOpen()) return !moving || (moving < AT_ONCE && isFlushed());
  return moving < Math.min(4, 1 + Math.round(network / 45));
}

export function start() {
  openChannel();
  subscribe(["dog"], (before) => {
    if (state.dog.settled) {
      clearTimeout(restTimer);
      wanted = null;
    } else if (isMoved(before.dog)) {
      if (!hasProblem()) say("");
      wanted = { still: false };
      clearTimeout(restTimer);
      restTimer = window.setTimeout(comeToRest, REST_MS);
      pump();
    }
  });
}

/** Whether the dog's numbers have changed; a new picture alone is no move. @param {Dog} before */
function isMoved(before) {
  const { dog } = state;
  return dog.edit !== before.edit || dog.space !== before.space || dog.place !== before.place || numbers() !== numbers(before);
}

function comeToRest() {
  if (moving) restTimer = window.setTimeout(comeToRest, REST_MS); // a slow server is still busy with them
  else wanted = { still: true };
  pump();
}

function pump() {
  while (wanted && hasRoom()) {
    const { still } = wanted;
    wanted = null;
    request(still);
  }
}

/**
 * Whether the dog changes so fast that a picture of half the size is enough: nobody sees it, and it comes sooner.
 * @param {string} space @param {number[]} values
 */
function isFast(space, values) {
  const now = performance.now(), steps = values.map((v, i) => Math.abs(v - last.values[i]));
  const way = space === last.space ? Math.max(...steps) * (space === "map" ? MAP_WIDTH : 1) : 0;
  const seconds = (now - last.at) / 1000;
  last = { space, values, at: now };
  return way > FAST * seconds;
}

/** @param {boolean} still */
function nextMove(still) {
  const { space, place } = state.dog, values = place && space === "map" ? place : numbers();
  return { number: ++sent, space, values, still, half: isFast(space, values) && !still };
}

/** @param {boolean} still */
async function request(still) {
  const { edit } = state.dog, move = nextMove(still), { number } = move, began = performance.now();
  moving += still ? 0 : 1;
  try {
    const answer = await server.move(move);
    if (answer.dropped) return; // the server has a newer move of this page
    if (answer.busy) return await tryAgain(edit, answer.error);
    if (answer.error) return edit === state.dog.edit && refuse(answer.error);
    network += 0.2 * (performance.now() - began - answer.took - network);
    if (number > shown && edit === state.dog.edit) accept(answer, number, still);
  } catch {
    await tryAgain(edit, AWAY);
  } finally {
    moving -= still ? 0 : 1;
    pump();
  }
}

/** @param {number} edit @param {string} [sentence] */
async function tryAgain(edit, sentence = AWAY) {
  if (edit === state.dog.edit && !state.dog.settled) say(sentence, true); // else another dog is shown by now
  await new Promise((wait) => setTimeout(wait, RETRY_MS));
  if (!state.dog.settled) wanted ??= { still: true };
}

/** Undoes a move to numbers that the server refuses to draw. @param {string} sentence */
function refuse(sentence) {
  undo();
  say(sentence, true);
}

/** @param {Answer} answer @param {number} number @param {boolean} still */
function accept(answer, number, still) {
  shown = number;
  if (hasProblem()) say("");
  if (!still || number !== sent || wanted) return showMoving(answer.picture);
  // Numbers that the visitor moved stay as they are; the other kind comes from the answer.
  const dog = { ...state.dog, picture: answer.picture };
  const c = dog.space === "directions" ? dog.c : answer.c;
  const latent = dog.space === "raw" ? dog.latent : answer.latent;
  update({ dog: { ...dog, c, latent, space: dog.space === "map" ? "directions" : dog.space, settled: true } });
}
