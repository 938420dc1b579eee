// Tests of ui/web/blend.js. tests/test_web.py runs them: node --test tests/web

import assert from "node:assert/strict";
import { test } from "node:test";

import { LIGHT, frameOf, inverse, join, lightChange, softEdge, toPhoto } from "../../ui/web/blend.js";

const apply = ([a, b, c, d, e, f], [x, y]) => [a * x + c * y + e, b * x + d * y + f];
const agree = (actual, expected, by = 1e-6) => actual.forEach((v, i) => assert.ok(Math.abs(v - expected[i]) < by, `${actual} ${expected}`));
const filled = (n, r, g, b, alpha = 255) => Uint8ClampedArray.from({ length: n * n * 4 }, (_, i) => [r, g, b, alpha][i % 4]);

test("a square's picture lies where the square does, turned clockwise, at any scale", () => {
  const place = { centre: [100, 60], side: 40, angle: Math.PI / 2 };
  const matrix = toPhoto(place, 2, 256);
  agree(apply(matrix, [128, 128]), [200, 120]);
  agree(apply(matrix, [0, 0]), [240, 80]); // the picture's top left corner is at the top right in the photo
  agree(apply(inverse(matrix), [240, 80]), [0, 0]);
  agree(apply(inverse(matrix), [200, 120]), [128, 128]);
});

test("a frame is made of eyes and nose as the server makes it", () => {
  // Crop.from_landmarks(((100, 100), (140, 110), (115, 140)))
  const frame = frameOf([[100, 100], [140, 110], [115, 140]]);
  agree([...frame.centre, frame.side, frame.angle], [119.29, 113.09, 114.53, 0.24498], 0.01);
  assert.deepEqual(frameOf([[140, 110], [100, 100], [115, 140]]), frame, "whichever eye comes first");
  for (const bad of [[[1, 1], [1, 1], [1, 1]], [[100, 100], [140, 110], [115, 60]]]) assert.equal(frameOf(bad), null);
});

test("the edge is soft, the middle is whole, and nothing is seen beyond the photo", () => {
  const inside = softEdge({ centre: [500, 500], side: 100, angle: 0.3 }, [1000, 1000], 64);
  assert.ok(inside[0] < 0.01 && inside[32 * 64 + 32] === 1 && inside[32 * 64] < 0.02);
  const cut = softEdge({ centre: [0, 500], side: 100, angle: 0 }, [1000, 1000], 64);
  assert.ok(cut[32 * 64 + 20] === 0 && cut[32 * 64 + 44] === 1);
});

test("the light at the edge is the photo's, in the middle mostly the dog's own", () => {
  const same = lightChange(filled(LIGHT, 90, 80, 70), filled(LIGHT, 90, 80, 70));
  assert.ok(same.every((channel) => channel.every((v) => Math.abs(v) < 1e-3)));
  const [red, green, blue] = lightChange(filled(LIGHT, 150, 100, 50), filled(LIGHT, 100, 100, 100));
  const middle = (LIGHT / 2) * LIGHT + LIGHT / 2;
  assert.ok(Math.abs(red[0] - 50) < 2 && Math.abs(blue[0] + 50) < 2 && Math.abs(green[0]) < 1e-3);
  assert.ok(red[middle] > 10 && red[middle] < 20);
  const unknown = lightChange(filled(LIGHT, 150, 100, 50, 0), filled(LIGHT, 100, 100, 100));
  assert.ok(unknown.every((channel) => channel.every((v) => v === 0)), "where the photo ends nothing is known");
});

test("a picture joins the photo", () => {
  const n = 64, pixels = filled(n, 100, 100, 250), seen = new Float32Array(n * n).fill(0.5);
  join(pixels, [50, -20, 50].map((v) => new Float32Array(LIGHT * LIGHT).fill(v)), seen, n);
  assert.deepEqual([...pixels.slice(0, 4)], [150, 80, 255, 128]);
});
