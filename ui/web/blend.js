// Calculations for drawing the dog into a photo: where its turned square lies, how its light is matched, how its edge
// fades. They are the same as in model/crop.py, and need neither page nor server. tests/web/blend.test.js tests them.

/**
 * @typedef {{ centre: number[], side: number, angle: number }} Place
 *   in pixels of the photo as the server read it; angle: radians, clockwise
 */
/** @typedef {[number, number, number, number, number, number]} Affine as canvas.setTransform takes it */

// In sides of a head's frame: the most that the eyes are apart and the nose is below them; how far the eyes are above
// the middle. ASIDE: the share of the nose's distance to one side by which the frame moves to that side.
const EYES_APART = 0.36, NOSE_BELOW = 0.335, EYES_ABOVE = 0.07, ASIDE = 0.35;
// In sides of the square: the picture fades in over SOFT from its own edge, and over 2 x SEAM from the photo's.
const SOFT = 0.16, SEAM = 6 / 256;
// Pixels a side of the small pictures by which the light is matched.
export const LIGHT = 32;

/** The matrix from pixels of an upright picture, `size` a side, to pixels of the photo drawn at `scale` times its size.
 * @param {Place} place @param {number} scale @param {number} size @returns {Affine} */
export function toPhoto({ centre, side, angle }, scale, size) {
  const step = (scale * side) / size, a = step * Math.cos(angle), b = step * Math.sin(angle), half = size / 2;
  return [a, b, -b, a, scale * centre[0] - half * (a - b), scale * centre[1] - half * (a + b)];
}

/** The inverse matrix. @param {Affine} matrix @returns {Affine} */
export function inverse([a, b, c, d, e, f]) {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

/**
 * The square round a head with these eyes and this nose; null if they can't be a face.
 * @param {number[][]} points eye, eye and nose in pixels of the photo @returns {Place | null}
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

/** Smoothstep: 0 up to 0, 1 from 1 on, and a smooth rise between. @param {number} t */
function smooth(t) {
  const v = Math.min(1, Math.max(0, t));
  return v * v * (3 - 2 * v);
}

/** Weights of n x n pixels: 0 at the edge, rising to 1 at `width` sides from it. @param {number} n @param {number} width */
function edge(n, width) {
  const across = Array.from({ length: n }, (_, i) => smooth(Math.min(i + 0.5, n - i - 0.5) / n / width));
  return Float32Array.from({ length: n * n }, (_, i) => across[Math.floor(i / n)] * across[i % n]);
}

/**
 * The opacity, 0 to 1, of each of the picture's n x n pixels in the photo: 0 at the edges of the picture and the photo.
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
 * What to add to the picture's colours so that its edge matches the photo: the difference along the edge, which is
 * spread inwards and fades there. Both are pixels [LIGHT x LIGHT x RGBA]; alpha is 0 beyond the photo's edge.
 * @param {Uint8ClampedArray} there the photo under the picture @param {Uint8ClampedArray} here the picture
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

/** Gaussian blur, sigma a tenth of the side, edges mirrored. @param {Float32Array} values @param {number} n */
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
 * Changes a picture's pixels [n x n x RGBA] in place: adds a `lightChange` to them, and sets alpha to a `softEdge`.
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
