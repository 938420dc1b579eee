// Sends the dog's moves over one WebSocket to ui/channel.py, in the frames of ui/frames.py. The page opens it. If it is
// lost, a later move opens it again; the pause before that doubles with each loss. Meanwhile server.js posts the moves.

/** @import { Move, Moved, Failure } from "./server.js" */
/** @typedef {{ take: (answer: Moved & Failure) => void, fail: (error: Error) => void }} Asker */

// A move names its space by an index here; STILL and HALF are bits of its flags.
const SPACES = ["directions", "raw", "map"], STILL = 1, HALF = 2;
const HEAD = 12, ANSWER_HEAD = 8; // bytes
// After so long without an answer the channel counts as lost: the network is down, or a proxy blocks it.
const LATE_MS = 4000;
const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 60000;

/** @type {WebSocket | null} */
let socket = null;
let pause = FIRST_PAUSE_MS, notBefore = 0;
/** @type {Map<number, Asker>} */
const waiting = new Map(); // by number of the move
let lateTimer = 0;

export const isOpen = () => socket !== null && socket.readyState === WebSocket.OPEN;

/** Whether all frames have left the browser: on a slow network one more would make them late. */
export const isFlushed = () => !socket?.bufferedAmount;

/** Opens the channel, unless it is open or the pause after a loss is not over. */
export function openChannel() {
  if (socket || performance.now() < notBefore) return;
  const address = new URL("channel", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  try {
    const opened = socket = new WebSocket(address);
    opened.binaryType = "arraybuffer";
    opened.onmessage = ({ data }) => socket === opened && receive(data);
    opened.onclose = () => socket === opened && lose();
  } catch { // the page is in a frame that may not open sockets
    lose();
  }
}

/** Sends a move. Rejects if the channel is lost before the answer comes. @param {Move} move @param {string} weights */
export function ask(move, weights) {
  return new Promise((/** @type {(answer: Moved & Failure) => void} */ take, fail) => {
    socket?.send(frameOf(move, weights));
    waiting.set(move.number, { take, fail });
    if (!lateTimer) lateTimer = window.setTimeout(lose, LATE_MS);
  });
}

/** @param {Move} move @param {string} weights 12 hex digits */
function frameOf({ number, space, values, still, half }, weights) {
  const frame = new DataView(new ArrayBuffer(HEAD + 4 * values.length));
  frame.setUint32(0, number, true);
  frame.setUint8(4, SPACES.indexOf(space));
  frame.setUint8(5, (still ? STILL : 0) | (half ? HALF : 0));
  for (let i = 0; i < 6; i++) frame.setUint8(6 + i, parseInt(weights.slice(2 * i, 2 * i + 2), 16));
  values.forEach((value, i) => frame.setFloat32(HEAD + 4 * i, value, true));
  return frame.buffer;
}

/** @param {ArrayBuffer} frame */
function receive(frame) {
  const head = new DataView(frame), number = head.getUint32(0, true), end = ANSWER_HEAD + head.getUint32(4, true);
  const answer = JSON.parse(new TextDecoder().decode(frame.slice(ANSWER_HEAD, end)));
  if (end < frame.byteLength) answer.picture = new Blob([frame.slice(end)], { type: answer.type });
  pause = FIRST_PAUSE_MS;
  // The server does not answer a move that a newer one replaced.
  for (const [asked, { take }] of waiting) {
    if (asked > number) continue;
    waiting.delete(asked);
    take(asked < number ? { dropped: true } : answer);
  }
  clearTimeout(lateTimer);
  lateTimer = waiting.size ? window.setTimeout(lose, LATE_MS) : 0;
}

function lose() {
  const lost = socket, askers = [...waiting.values()];
  socket = null;
  waiting.clear();
  clearTimeout(lateTimer);
  lateTimer = 0;
  notBefore = performance.now() + pause;
  pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
  lost?.close();
  for (const { fail } of askers) fail(new Error("the channel is lost"));
}
