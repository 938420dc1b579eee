// Tests of ui/web/math.js. tests/test_web.py runs them: node --test tests/web

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  along, clip, dogLink, fromShares, likeness, middleSquare, mostPromising, near, norm, planeGrid, puppy, readLink, sameBox, seedLink, slerp,
  standing, toShares, withinPhoto,
} from "../../ui/web/math.js";

const WEIGHTS = "0123456789ab", DIM = 256;
const assertClose = (actual, expected, by = 1e-9) => actual.forEach((v, i) => assert.ok(Math.abs(v - expected[i]) < by, `${actual} ${expected}`));

/** Random numbers from 0 to 1, the same in each run (mulberry32). */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("a way leads to where the dog is to stand, the background kept or not", () => {
  const way = { reading: [1, 2, 0], level: 0.5, kept: [0.2, 0.4, 0], free: [0.5, 0.25, 1] };
  const c = [1, -1, 3], kept = along(c, way, 2), free = along(c, way, 2, false);
  assertClose([standing(c, way), standing(kept, way), standing(free, way)], [-0.5, 2, 2]);
  assert.ok(kept[2] === 3 && free[2] !== 3);
  assertClose(along(kept, way, -0.5), c);
});

test("slerp leads from one dog to the other along the sphere", () => {
  const p = [2, 0, 0], q = [0, 2, 0];
  assertClose(slerp(p, q, 0), p);
  assertClose(slerp(p, q, 1), q);
  const middle = slerp(p, q, 0.5);
  assertClose(middle, [Math.SQRT2, Math.SQRT2, 0]);
  assertClose([norm(slerp(p, q, 0.3))], [2]);
});

test("slerp between dogs of one direction is a straight line", () => {
  assertClose(slerp([1, 1], [3, 3], 0.5), [2, 2]);
  assertClose(slerp([1, 0], [1, 0], 0.7), [1, 0]);
  assertClose(slerp([0, 0], [0, 0], 0.5), [0, 0]);
  assert.ok(slerp([1, 2], [-1, -2], 0.5).every(Number.isFinite));
});

test("likeness goes from A toward B and away from C, and grows no longer than they are", () => {
  assertClose(likeness([1, 0], [1, 3], [1, 3], 0.9), [1, 0]);
  assertClose(likeness([1, 0], [3, 4], [2, 4], 1), [2, 0]);
  assert.ok(Math.abs(norm(likeness([3, 0], [3, 4], undefined, 1.5)) - 5) < 1e-9);
});

test("of a litter the one that promises most is taken, the first where nothing is foretold", () => {
  const dogs = [[0, 3], [2, 0], [1, 1]];
  assert.deepEqual(mostPromising(dogs, [1, 0], [0, -1]), [2, 0]);
  assert.deepEqual(mostPromising(dogs, [0, 0], [0, 1]), [0, 3]);
  assert.deepEqual(mostPromising(dogs, [], []), [0, 3]);
});

test("a puppy takes each coordinate from one parent, and from both", () => {
  const random = seeded(1), p = Array.from({ length: DIM }, (_, i) => i + 1), q = p.map((v) => -v);
  const child = puppy(p, q, random);
  assert.ok(child.every((v, i) => v === p[i] || v === q[i]));
  const fromP = child.filter((v) => v > 0).length;
  assert.ok(fromP > 90 && fromP < 166, `${fromP}`);
});

test("near: locked coordinates stay, the others keep the spread of dogs", () => {
  const random = seeded(2), c = Array.from({ length: 20000 }, (_, i) => (i % 2 ? 1 : -1));
  assert.deepEqual(near(c, 0, new Set(), random), c);
  const other = near(c, 0.9, new Set([0, 7]), random);
  assert.equal(other[0], c[0]);
  assert.equal(other[7], c[7]);
  assert.ok(other.filter((v, i) => v !== c[i]).length === c.length - 2);
  const variance = norm(other) ** 2 / other.length;
  assert.ok(Math.abs(variance - 1) < 0.05, `${variance}`);
});

test("the plane's grid begins at the top left: little across, much up", () => {
  const c = [9, 9, 9], dogs = planeGrid(c, 2, 0, 5, 3);
  assert.equal(dogs.length, 25);
  assertClose(dogs[0], [2.4, 9, -2.4]);
  assertClose(dogs[4], [2.4, 9, 2.4]);
  assertClose(dogs[24], [-2.4, 9, 2.4]);
  assert.deepEqual(c, [9, 9, 9]);
});

test("a link brings the coordinates back", () => {
  const random = seeded(3), c = Array.from({ length: DIM }, () => 8 * random() - 4);
  const link = dogLink(WEIGHTS, c);
  assert.match(link, /^\?dog=0123456789ab\.z[\w-]{683}$/);
  assertClose(readLink(link, WEIGHTS, DIM).c, c, 1 / 3000);
  const far = c.map(() => 99);
  assert.ok(readLink(dogLink(WEIGHTS, far), WEIGHTS, DIM).c.every((v) => Math.abs(v - 16.3835) < 1e-9));
  assert.deepEqual(readLink(seedLink(WEIGHTS, 27, 0.85), WEIGHTS, DIM), { seed: 27, temperature: 0.85 });
});

test("a link that was written by version 0.1 still works", () => {
  assert.deepEqual(readLink("?a=1&dog=0123456789ab.s27t1", WEIGHTS, DIM), { seed: 27, temperature: 1 });
  assert.deepEqual(readLink("#dog=0123456789ab.s27t1", WEIGHTS, DIM), { seed: 27, temperature: 1 });
  assert.deepEqual(readLink("#dog=0123456789ab.z0AcwAg", WEIGHTS, 2), { c: [1, 0.28] });
});

test("a link that is cut off, or of another model, is refused with a sentence", () => {
  const link = dogLink(WEIGHTS, new Array(DIM).fill(0.5));
  const broken = [link.slice(0, -2), link.slice(0, -9), "#dog=", "#dog=x", "#dog=0123456789ab.s1", "#dog=0123456789ab.s1t1.2.3"];
  for (const text of broken) assert.match(readLink(text, WEIGHTS, DIM).error, /^The link is broken/, text);
  assert.match(readLink(link, "ba9876543210", DIM).error, /another model/);
  for (const text of ["", "#", "#how-it-works", "?hotdog=1"]) assert.equal(readLink(text, WEIGHTS, DIM), null);
});

test("boxes: from shares and back, in the middle, kept on the photo", () => {
  const box = [0.1, 0.2, 0.4, 0.8], ratio = 2;
  const square = fromShares(box, ratio);
  assertClose(Object.values(square), [0.1, 0.1, 0.3]);
  assertClose(toShares(square, ratio), box);
  assert.ok(sameBox(box, toShares(square, ratio)) && !sameBox(box, [0.1, 0.2, 0.4, 0.7]) && !sameBox(box, null));
  for (const wide of [0.5, 1, 2]) {
    const { x, y, side } = middleSquare(wide);
    assertClose([x + side / 2, y + side / 2, side], [0.5, 0.5 / wide, 0.5 * Math.min(1, 1 / wide)]);
  }
  assertClose(Object.values(withinPhoto({ x: -5, y: 7, side: 0.2 }, 2)), [-0.1, 0.4, 0.2]);
  assert.equal(withinPhoto({ x: 0, y: 0, side: 0 }, 1).side, 0.03);
  assert.equal(withinPhoto({ x: 0, y: 0, side: 9 }, 0.5).side, 2);
});

test("clip", () => assert.deepEqual([-1, 0.3, 2].map(clip), [0, 0.3, 1]));
