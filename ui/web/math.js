// Calculations that need neither page nor server: mixing dogs, links, boxes on a photo. tests/web/math.test.js tests them.
// A dog is given as `c`, its coordinates along the principal directions, in standard deviations from the mean dog.

/** @import { Square } from "./store.js" */

// ---- Mixing

/** @param {number[]} p */
export const norm = (p) => Math.hypot(...p);

/** @param {number[]} p @param {number[]} q */
const dot = (p, q) => p.reduce((sum, v, i) => sum + v * q[i], 0);

/** @param {number} v */
export const clip = (v) => Math.min(1, Math.max(0, v));

/**
 * The dog at t (0 to 1) on the way from p to q along a great circle (White 2016, arXiv:1609.04468). Dogs lie on a
 * shell; a straight line would lead through the pale mean dog inside it.
 * @param {number[]} p @param {number[]} q @param {number} t
 */
export function slerp(p, q, t) {
  const angle = Math.acos(Math.min(1, Math.max(-1, dot(p, q) / (norm(p) * norm(q) || 1))));
  const straight = Math.sin(angle) < 1e-4; // parallel or opposite: there is no one circle
  const from = straight ? 1 - t : Math.sin((1 - t) * angle) / Math.sin(angle);
  const to = straight ? t : Math.sin(t * angle) / Math.sin(angle);
  return p.map((v, i) => from * v + to * q[i]);
}

/**
 * a + amount (b - c), scaled down to the length of the longest of the three where it is longer. Without c, b is
 * compared with the mean dog, whose coordinates are 0.
 * @param {number[]} a @param {number[]} b @param {number[] | undefined} c @param {number} amount
 */
export function likeness(a, b, c, amount) {
  const sum = a.map((v, i) => v + amount * (b[i] - (c ? c[i] : 0)));
  const most = Math.max(...[a, b, c ?? a].map(norm)), is = norm(sum);
  return is > most ? sum.map((v) => v * most / is) : sum;
}

/** Each coordinate from one parent or the other. @param {number[]} p @param {number[]} q */
export const puppy = (p, q, random = Math.random) => p.map((v, i) => (random() < 0.5 ? v : q[i]));

/**
 * Of these dogs the one that promises to come out best (model/latents/chosen.py); the first where nothing was fitted.
 * @param {number[][]} dogs @param {number[]} slopes @param {number[]} bends
 */
export function mostPromising(dogs, slopes, bends) {
  const promise = (/** @type {number[]} */ c) => slopes.reduce((sum, slope, i) => sum + slope * c[i] + bends[i] * c[i] ** 2, 0);
  return dogs.reduce((best, dog) => (promise(dog) > promise(best) ? dog : best));
}

/**
 * Whether these are the same dog, but for what rounding on the way to the server and back does to its numbers.
 * @param {number[]} p @param {number[]} q
 */
export const sameDog = (p, q) => p.every((v, i) => Math.abs(v - q[i]) < 1e-3);

/**
 * A slider's way. The dog stands at c . reading + level; one unit further is c + kept, or c + free where the background
 * need not stay as it is.
 * @typedef {{ reading: number[], level: number, kept: number[], free: number[] }} Way
 */

/** @param {number[]} c @param {Way} way */
export const standing = (c, { reading, level }) => dot(c, reading) + level;

/** The dog moved along a way until it stands there. @param {number[]} c @param {Way} way @param {number} to */
export function along(c, way, to, keepsBackground = true) {
  const step = keepsBackground ? way.kept : way.free, far = (to - standing(c, way)) / dot(step, way.reading);
  return c.map((v, i) => v + far * step[i]);
}

/** A number from N(0, 1), by Box and Muller. */
const gaussian = (random = Math.random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/**
 * A dog like c. far: 0 (the same) to 1 (any dog). The coordinates of dogs have variance 1, and the two factors keep it.
 * @param {number[]} c @param {number} far @param {ReadonlySet<number>} locked coordinates that stay
 */
export const near = (c, far, locked, random = Math.random) =>
  c.map((v, i) => (locked.has(i) ? v : Math.sqrt(1 - far * far) * v + far * gaussian(random)));

/**
 * The dogs in the middles of the count x count cells of a plane, row by row from the top left. The coordinate `across`
 * runs from -reach to reach; `up` from reach at the top to -reach at the bottom.
 * @param {number[]} c @param {number} across @param {number} up @param {number} count @param {number} reach
 */
export function planeGrid(c, across, up, count, reach) {
  const middle = (/** @type {number} */ k) => (2 * (k + 0.5) / count - 1) * reach;
  return Array.from({ length: count * count }, (_, k) => {
    const dog = [...c];
    dog[up] = -middle(Math.floor(k / count));
    dog[across] = middle(k % count);
    return dog;
  });
}

// ---- Links: ?dog=WEIGHTS.sSEEDtTEMPERATURE, or ?dog=WEIGHTS.z and the coordinates as 16-bit numbers in base64url. Until
// version 0.2 they began with # instead, which no server sees. ui/preview.py reads them, too.

const UNIT = 1 / 2000; // of a coordinate: finer than anyone sees, and 16 standard deviations fit into 16 bits
const BROKEN = "The link is broken, perhaps cut off; please ask for it again. This is another dog.";
const FOREIGN = "The link shows a dog of another model, whose numbers mean other dogs here.";

/** @param {string} weights @param {number} seed @param {number} temperature */
export const seedLink = (weights, seed, temperature) => `?dog=${weights}.s${seed}t${temperature}`;

/** @param {string} weights @param {number[]} c */
export function dogLink(weights, c) {
  const whole = Int16Array.from(c, (v) => Math.max(-32767, Math.min(32767, Math.round(v / UNIT))));
  const text = btoa(String.fromCharCode(...new Uint8Array(whole.buffer)));
  return `?dog=${weights}.z${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/**
 * What an address says, by its query or its fragment; null if it is about no dog.
 * @param {string} link @param {string} weights of this page's model @param {number} dim coordinates of its dogs
 * @returns {{ error?: string, seed?: number, temperature?: number, c?: number[] } | null}
 */
export function readLink(link, weights, dim) {
  const [, told] = /[?#&]dog=([^&#]*)/.exec(link) ?? [];
  if (told === undefined) return null;
  const [, of, seed, temperature, text] = /^([0-9a-f]{12})\.(?:s(\d{1,16})t([\d.]{1,6})|z([\w-]+))$/.exec(told) ?? [];
  const bytes = text === undefined ? null : fromBase64(text);
  if (!of || (bytes && bytes.length !== 2 * dim) || (seed && Number.isNaN(Number(temperature)))) return { error: BROKEN };
  if (of !== weights) return { error: FOREIGN };
  if (bytes) return { c: Array.from(new Int16Array(bytes.buffer), (v) => v * UNIT) };
  return { seed: Number(seed), temperature: Number(temperature) };
}

/** @param {string} text */
function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (byte) => byte.charCodeAt(0));
  } catch {
    return new Uint8Array(); // not of a length that base64 can have
  }
}

// ---- Boxes on a photo. The server counts in shares of its width and height; here both axes count in widths.

/** @param {number[]} box [x0, y0, x1, y1] in shares @param {number} ratio width / height @returns {Square} */
export const fromShares = (box, ratio) => ({ x: box[0], y: box[1] / ratio, side: box[2] - box[0] });

/** @param {Square} square @param {number} ratio */
export const toShares = ({ x, y, side }, ratio) => [x, y * ratio, x + side, (y + side) * ratio];

/** Where a box is offered on a photo in which no head was found: half its shorter side, in the middle. @param {number} ratio */
export function middleSquare(ratio) {
  const side = 0.5 * Math.min(1, 1 / ratio);
  return { x: 0.5 - side / 2, y: 0.5 / ratio - side / 2, side };
}

/** The same box, not too small or large, its middle within the photo. @param {Square} square @param {number} ratio */
export function withinPhoto({ x, y, side }, ratio) {
  const size = Math.min(Math.max(side, 0.03), Math.max(1, 1 / ratio));
  const within = (/** @type {number} */ v, /** @type {number} */ most) => Math.min(Math.max(v, -size / 2), most - size / 2);
  return { x: within(x, 1), y: within(y, 1 / ratio), side: size };
}

/** @param {number[] | undefined} a @param {number[] | null | undefined} b */
export const sameBox = (a, b) => Boolean(a && b && a.every((v, i) => Math.abs(v - b[i]) < 1e-3));
