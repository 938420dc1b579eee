// Where a turned square lies in a photo, and how the dog in it joins the photo: calculations without page or server, as in
// model/crop.py. tests/web/blend.test.js tests them.

/** @typedef {{ centre: number[], side: number, angle: number }} Place pixels of the photo as the server read it, radians clockwise */
/** @typedef {[number, number, number, number, number, number]} Affine as canvas takes it */

const EYES_APART = 0.36, NOSE_BELOW = 0.335, EYES_ABOVE = 0.07, ASIDE = 0.35; // of the side of a head's frame
const SOFT = 0.16, SEAM = 6 / 256; // of the side: how far in the edge fades, and what lies at the photo's edge
export const LIGHT = 32; // pixels a side at which the light is matched

/** From pixels of an upright picture of `size` pixels a side to those of the photo, drawn `scale` times its size.
 * @param {Place} place @param {number} scale @param {number} size @returns {Affine} */
export function toPhoto({ centre, side, angle }, scale, size) {
  const step = (scale * side) / size, a = step * Math.cos(angle), b = step * Math.sin(angle), half = size / 2;
  return [a, b, -b, a, scale * centre[0] - half * (a - b), scale * centre[1] - half * (a + b)];
}

/** The way back. @param {Affine} matrix @returns {Affine} */
export function inverse([a, b, c, d, e, f]) {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

/**
 * The frame of a head by its eyes and nose, in pixels of the photo; null where they are no face.
 * @param {number[][]} points eye, eye, nose @returns {Place | null}
 */
export function frameOf([p, q, [nx, ny]]) {
  const [[lx, ly], [rx, ry]] = p[0] < q[0] || (p[0] === q[0] && p[1] <= q[1]) ? [p, q] : [q, p];
  const ex = (lx + rx) / 2, ey = (ly + ry) / 2, vx = nx - ex, vy = ny - ey;
  const apart = Math.hypot(rx - lx, ry - ly), below = Math.hypot(vx, vy);
  if (Math.max(apart, below) < 1 || vy <= 0 || vy * (rx - lx) - vx * (ry - ly) < 0) return null;
  const trust = Math.min(1, apart / (0.9 * below)) ** 2;
  const lean = Math.max(-0.5, Math.min(0.5, Math.atan2(-vx, vy)));
  const angle = trust * Math.atan2(ry - ly, rx - lx) + (1 - trust) * lean / 2;
  const side = Math.max(apart / EYES_APART, below / NOSE_BELOW), cos = Math.cos(angle), sin = Math.sin(angle);
  const right = ASIDE * (vx * cos + vy * sin), down = EYES_ABOVE * side;
  return { centre: [ex + right * cos - down * sin, ey + right * sin + down * cos], side, angle };
}

/** 0 below 0, 1 above 1, without a kink between them. @param {number} t */
function smooth(t) {
  const v = Math.min(1, Math.max(0, t));
  return v * v * (3 - 2 * v);
}

/** Row by row: 0 at the edge of a square of n x n, 1 from `width` of its side inwards. @param {number} n @param {number} width */
function edge(n, width) {
  const across = Array.from({ length: n }, (_, i) => smooth(Math.min(i + 0.5, n - i - 0.5) / n / width));
  return Float32Array.from({ length: n * n }, (_, i) => across[Math.floor(i / n)] * across[i % n]);
}

/**
 * How much of the picture is seen in the photo at each of its n x n pixels, 0 to 1: nothing at its edge, and nothing at
 * the photo's.
 * @param {Place} place @param {number[]} size of the photo @param {number} n
 */
export function softEdge(place, [width, height], n) {
  const [a, b, c, d, e, f] = toPhoto(place, 1, n);
  return edge(n, SOFT).map((seen, i) => {
    const u = (i % n) + 0.5, v = Math.floor(i / n) + 0.5, x = a * u + c * v + e, y = b * u + d * v + f;
    return seen * smooth(Math.min(x, y, width - x, height - y) / place.side / (2 * SEAM));
  });
}

/**
 * What the picture's light has to change by so that its edge joins the place it is put in: the difference along the edge,
 * carried inwards, fading. Both are pixels [LIGHT x LIGHT x RGBA]; where the photo ends, the alpha of the place is 0.
 * @param {Uint8ClampedArray} there the place @param {Uint8ClampedArray} here the picture
 * @returns {Float32Array[]} of red, green and blue, LIGHT x LIGHT each
 */
export function lightChange(there, here) {
  const n = LIGHT, rim = edge(n, 2 * SOFT), fade = edge(n, 0.5);
  const weight = rim.map((v, i) => (1 - v + 1e-3) * (there[4 * i + 3] / 255));
  const under = blurred(weight, n);
  return [0, 1, 2].map((channel) => {
    const over = blurred(weight.map((w, i) => w * (there[4 * i + channel] - here[4 * i + channel])), n);
    return over.map((v, i) => (under[i] > 1e-6 ? (v / under[i]) * (1 - 0.7 * fade[i]) : 0));
  });
}

/** Blurred by a Gaussian of a tenth of the side; beyond the edge lies the mirror image. @param {Float32Array} values @param {number} n */
function blurred(values, n) {
  const sigma = n / 10, reach = Math.floor((n - 1) / 2);
  const kernel = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-(((i - reach) / sigma) ** 2) / 2));
  const sum = kernel.reduce((a, b) => a + b);
  const mirror = (/** @type {number} */ i) => (i < 0 ? -i : i >= n ? 2 * n - 2 - i : i);
  const along = (/** @type {Float32Array} */ from, /** @type {number} */ step, /** @type {number} */ row) =>
    Float32Array.from({ length: n * n }, (_, at) => {
      const place = Math.floor(at / step) % n, start = at - place * step;
      return row * kernel.reduce((total, k, j) => total + k * from[start + mirror(place + j - reach) * step], 0);
    });
  return along(along(values, 1, 1 / sum), n, 1 / sum);
}

/**
 * Changes a picture's pixels [n x n x RGBA] in place: its light by a `lightChange`, its alpha by a `softEdge` of n x n.
 * @param {Uint8ClampedArray} pixels @param {Float32Array[]} change @param {Float32Array} seen @param {number} n
 */
export function join(pixels, change, seen, n) {
  const last = LIGHT - 1, at = Array.from({ length: n }, (_, i) => Math.min(last, Math.max(0, ((i + 0.5) * LIGHT) / n - 0.5)));
  for (let y = 0; y < n; y++) {
    const top = Math.floor(at[y]), low = Math.min(last, top + 1), down = at[y] - top;
    for (let x = 0; x < n; x++) {
      const left = Math.floor(at[x]), right = Math.min(last, left + 1), across = at[x] - left, i = y * n + x;
      for (let channel = 0; channel < 3; channel++) {
        const of = change[channel];
        const upper = of[top * LIGHT + left] * (1 - across) + of[top * LIGHT + right] * across;
        const lower = of[low * LIGHT + left] * (1 - across) + of[low * LIGHT + right] * across;
        pixels[4 * i + channel] += upper * (1 - down) + lower * down;
      }
      pixels[4 * i + 3] = 255 * seen[i];
    }
  }
}
