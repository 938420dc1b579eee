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
 * The dog at t (0 to 1) on the way from p to q along a great circle (White 2016, arXiv:1609.04468). Dogs lie near a
 * sphere round the mean dog; a straight line would pass close to this pale mean.
 * @param {number[]} p @param {number[]} q @param {number} t
 */
export function slerp(p, q, t) {
  const angle = Math.acos(Math.min(1, Math.max(-1, dot(p, q) / (norm(p) * norm(q) || 1))));
  const straight = Math.sin(angle) < 1e-4; // parallel or opposite: they share no single circle
  const from = straight ? 1 - t : Math.sin((1 - t) * angle) / Math.sin(angle);
  const to = straight ? t : Math.sin(t * angle) / Math.sin(angle);
  return p.map((v, i) => from * v + to * q[i]);
}

/**
 * a + amount (b - c); if it is longer than each of the three, it is scaled down to the longest. Without c, b is
 * compared with the mean dog, whose coordinates are 0.
 * @param {number[]} a @param {number[]} b @param {number[] | undefined} c @param {number} amount
 */
export function likeness(a, b, c, amount) {
  const sum = a.map((v, i) => v + amount * (b[i] - (c ? c[i] : 0)));
  const most = Math.max(...[a, b, c ?? a].map(norm)), size = norm(sum);
  return size > most ? sum.map((v) => v * most / size) : sum;
}

/** A puppy: each coordinate is that of one parent, chosen at random. @param {number[]} p @param {number[]} q */
export const puppy = (p, q, random = Math.random) => p.map((v, i) => (random() < 0.5 ? v : q[i]));

/**
 * The dog whose picture is likely to be best by a fitted formula (model/latents/chosen.py). Without one, the first.
 * @param {number[][]} dogs @param {number[]} slopes @param {number[]} bends
 */
export function mostPromising(dogs, slopes, bends) {
  const promise = (/** @type {number[]} */ c) => slopes.reduce((sum, slope, i) => sum + slope * c[i] + bends[i] * c[i] ** 2, 0);
  return dogs.reduce((best, dog) => (promise(dog) > promise(best) ? dog : best));
}

/**
 * Whether these are the same dog. The numbers may differ by rounding on the way to the server and back.
 * @param {number[]} p @param {number[]} q
 */
export const sameDog = (p, q) => p.every((v, i) => Math.abs(v - q[i]) < 1e-3);

/**
 * The way along which a slider moves a dog. The slider's value for a dog c is c . reading + level. One unit further is
 * c + kept, or c + free if the background may change.
 * @typedef {{ reading: number[], level: number, kept: number[], free: number[] }} Way
 */

/** The slider's value for a dog. @param {number[]} c @param {Way} way */
export const standing = (c, { reading, level }) => dot(c, reading) + level;

/** The dog, moved along a way to the slider's value `to`. @param {number[]} c @param {Way} way @param {number} to */
export function along(c, way, to, keepsBackground = true) {
  const step = keepsBackground ? way.kept : way.free, far = (to - standing(c, way)) / dot(step, way.reading);
  return c.map((v, i) => v + far * step[i]);
}

/** A random number from N(0, 1), by the Box-Muller transform. */
const gaussian = (random = Math.random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/**
 * A random dog like c. far: 0 (the same) to 1 (any dog). Coordinates of dogs have variance 1; the two factors keep it.
 * @param {number[]} c @param {number} far @param {ReadonlySet<number>} locked coordinates that stay
 */
export const near = (c, far, locked, random = Math.random) =>
  c.map((v, i) => (locked.has(i) ? v : Math.sqrt(1 - far * far) * v + far * gaussian(random)));

/**
 * The dogs at the centres of the count x count cells of a plane, row by row from the top left. The coordinate `across`
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

// ---- Links: ?dog=WEIGHTS.sSEEDtTEMPERATURE, or ?dog=WEIGHTS.z and the coordinates as 16-bit numbers in base64url.
// Before version 0.2 they began with # instead, which browsers do not send. ui/preview.py reads links, too.

// Coordinates are rounded to this unit: too fine to be seen, and 16 bits hold up to 16 standard deviations.
const UNIT = 1 / 2000;
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
 * Reads the dog in an address's query or fragment; null if there is none.
 * @param {string} link @param {string} weights of this page's model @param {number} dim number of coordinates of its dogs
 * @returns {{ error?: string, seed?: number, temperature?: number, c?: number[] } | null}
 */
export function readLink(link, weights, dim) {
  const [, dog] = /[?#&]dog=([^&#]*)/.exec(link) ?? [];
  if (dog === undefined) return null;
  const [, id, seed, temperature, text] = /^([0-9a-f]{12})\.(?:s(\d{1,16})t([\d.]{1,6})|z([\w-]+))$/.exec(dog) ?? [];
  const bytes = text === undefined ? null : fromBase64(text);
  if (!id || (bytes && bytes.length !== 2 * dim) || (seed && Number.isNaN(Number(temperature)))) return { error: BROKEN };
  if (id !== weights) return { error: FOREIGN };
  if (bytes) return { c: Array.from(new Int16Array(bytes.buffer), (v) => v * UNIT) };
  return { seed: Number(seed), temperature: Number(temperature) };
}

/** @param {string} text */
function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (byte) => byte.charCodeAt(0));
  } catch {
    return new Uint8Array(); // base64 has no text of this length
  }
}

// ---- Boxes on a photo. The server gives x in widths of the photo and y in heights; here both are in widths.

/** @param {number[]} box [x0, y0, x1, y1] in shares @param {number} ratio width / height @returns {Square} */
export const fromShares = (box, ratio) => ({ x: box[0], y: box[1] / ratio, side: box[2] - box[0] });

/** @param {Square} square @param {number} ratio */
export const toShares = ({ x, y, side }, ratio) => [x, y * ratio, x + side, (y + side) * ratio];

/** The box to begin with if no head was found: in the middle, half the shorter side. @param {number} ratio */
export function middleSquare(ratio) {
  const side = 0.5 * Math.min(1, 1 / ratio);
  return { x: 0.5 - side / 2, y: 0.5 / ratio - side / 2, side };
}

/** The box, limited in size, and with its middle inside the photo. @param {Square} square @param {number} ratio */
export function withinPhoto({ x, y, side }, ratio) {
  const size = Math.min(Math.max(side, 0.03), Math.max(1, 1 / ratio));
  const within = (/** @type {number} */ v, /** @type {number} */ most) => Math.min(Math.max(v, -size / 2), most - size / 2);
  return { x: within(x, 1), y: within(y, 1 / ratio), side: size };
}

/** @param {number[] | undefined} a @param {number[] | null | undefined} b */
export const sameBox = (a, b) => Boolean(a && b && a.every((v, i) => Math.abs(v - b[i]) < 1e-3));
