// From a moved number to a new picture. A few requests are on the way at once, numbered. The newest move wins; an answer
// older than what is shown is dropped; when the moves stop, a lossless picture of the last one follows.

import { openChannel } from "./channel.js";
import { undo } from "./history.js";
import { hasProblem, say } from "./page.js";
import { showMoving } from "./picture.js";
import * as server from "./server.js";
import { numbers, state, subscribe, update } from "./store.js";

/** @import { Dog } from "./store.js" */
/** @typedef {Awaited<ReturnType<typeof server.move>>} Answer */

const REST_MS = 90, RETRY_MS = 1500;
const FAST = 3; // standard deviations a second: a slider from end to end in two seconds
const MAP_WIDTH = 6; // standard deviations, about
const AWAY = "The server does not answer just now; your dog is kept, and the page tries again.";

let sent = 0, shown = 0; // numbers of moves
let moving = 0; // moves on the way, those of a picture at rest not counted: it holds up no move
let network = 10; // ms that an answer spends outside the server, on average
let restTimer = 0;
let last = { space: "", values: /** @type {number[]} */ ([]), at: 0 }; // the last move that was sent
/** @type {{ still: boolean } | null} */
let wanted = null; // a move that is still to be sent

/** Whether a move waits to be sent; another one would only replace it. */
export const isBehind = () => wanted !== null;

// More requests at once help against a slow network, but not against a slow server or a crowd.
const limit = () => Math.min(4, 1 + Math.round(network / 45));

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

/** Whether the numbers are others; a new picture alone is no move. @param {Dog} before */
function isMoved(before) {
  const { dog } = state;
  return dog.edit !== before.edit || dog.space !== before.space || dog.place !== before.place || numbers() !== numbers(before);
}

function comeToRest() {
  if (moving) restTimer = window.setTimeout(comeToRest, REST_MS); // a slow server has enough to do with the moves
  else wanted = { still: true };
  pump();
}

function pump() {
  while (wanted && moving < limit()) {
    const { still } = wanted;
    wanted = null;
    request(still);
  }
}

/**
 * Whether the dog changes so fast that nobody sees whether a picture is of half the size, which is drawn sooner.
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
    if (answer.dropped) return; // the server has a newer one of this page
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
  if (edit === state.dog.edit && !state.dog.settled) say(sentence, true); // else another dog has come meanwhile
  await new Promise((wait) => setTimeout(wait, RETRY_MS));
  if (!state.dog.settled) wanted ??= { still: true };
}

/** Goes back from numbers that the server will not draw to the last that it did. @param {string} sentence */
function refuse(sentence) {
  undo();
  say(sentence, true);
}

/** @param {Answer} answer @param {number} number @param {boolean} still */
function accept(answer, number, still) {
  shown = number;
  if (hasProblem()) say("");
  if (!still || number !== sent || wanted) return showMoving(answer.picture);
  // The numbers that were moved stay as they are; the others follow.
  const dog = { ...state.dog, picture: answer.picture };
  const c = dog.space === "directions" ? dog.c : answer.c;
  const latent = dog.space === "raw" ? dog.latent : answer.latent;
  update({ dog: { ...dog, c, latent, space: dog.space === "map" ? "directions" : dog.space, settled: true } });
}
