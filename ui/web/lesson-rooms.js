// Part 2 of the lesson: the visitor drags a point through the latent spaces ("rooms") of an autoencoder and of a VAE,
// and sees the dog that is drawn there.

import { EDGE, allInside, drawCloud, enable, insist, inside, ofPhoto, say, showRow } from "./lesson-page.js";
import { bell, point, rooms } from "./lesson-server.js";
import { PAGE } from "./server.js";

/** @typedef {import("./lesson-server.js").Room} Room */

// Per arrow key, in standard deviations of the bell curve.
const STEP = 0.25;
// A place is "among the dogs" if at least FEW dogs are nearer to it than NEAR standard deviations.
const NEAR = 0.45;
const FEW = 3;
// AT_ONCE: the most requests under way.
const AT_ONCE = 2, RETRY_MS = 1500;
const AWAY = "The server does not answer just now; the last picture stays, and the page tries again.";
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const part = inside("rooms");
let moves = 0, problem = false;
/** @type {ReturnType<typeof view>[]} */
let views = [];

/** The dot product of two lists of D numbers. @param {number[]} a @param {number[]} b */
const along = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

/** The nearest value within the room. @param {number} v */
const withinRoom = (v) => Math.max(-EDGE, Math.min(EDGE, v));

/** @param {number[][]} dogs @param {number[]} place */
const isAmong = (dogs, [x, y]) => dogs.filter(([dx, dy]) => Math.hypot(dx - x, dy - y) < NEAR).length >= FEW;

/**
 * Shows in an image the dog at a moving point: a few requests are under way at once, and the newest picture is shown.
 * @param {HTMLImageElement} image
 * @param {() => { room: string, z: number[] }} now where the point is
 */
function sender(image, now) {
  let wanted = false, onTheWay = 0, shown = 0;
  function pump() {
    while (wanted && onTheWay < AT_ONCE) {
      wanted = false;
      request();
    }
  }
  async function request() {
    const number = ++moves, move = now();
    onTheWay += 1;
    try {
      const answer = await point({ page: `${PAGE} ${move.room}`, number, ...move });
      if (answer.dropped) return;
      if (answer.error && answer.busy) throw new Error(answer.error);
      if (answer.error) return say(answer.error);
      if (problem) say("");
      problem = false;
      if (number > shown) [shown, image.src] = [number, answer.picture];
    } catch {
      problem = true;
      say(AWAY);
      await new Promise((wait) => setTimeout(wait, RETRY_MS));
      wanted = true;
    } finally {
      onTheWay -= 1;
      pump();
    }
  }
  return {
    send() {
      wanted = true;
      pump();
    },
    /** @param {string} src a picture that answers to earlier moves do not replace */
    show(src) {
      shown = ++moves;
      image.src = src;
    },
  };
}

/** One of the two rooms. @param {HTMLElement} figure */
function view(figure) {
  const cloud = /** @type {HTMLElement} */ (figure.querySelector(".cloud")), svg = /** @type {SVGElement} */ (cloud.querySelector("svg"));
  const told = /** @type {HTMLElement} */ (figure.querySelector(".told"));
  cloud.setAttribute("aria-valuemin", `${-EDGE}`);
  cloud.setAttribute("aria-valuemax", `${EDGE}`);
  /** @type {Room} */
  let room;
  let place = [0, 0];
  const picture = sender(/** @type {HTMLImageElement} */ (figure.querySelector(":scope > img")), () => ({ room: room.name, z: latent() }));

  /** The dog's latent, moved along the two directions to the place. */
  function latent() {
    const [across, up] = room.directions.map((direction, k) => place[k] - along(room.z, direction));
    return room.z.map((v, i) => Number((v + across * room.directions[0][i] + up * room.directions[1][i]).toFixed(4)));
  }
  const sentence = () => (isAmong(room.points, place) ? "Among the dogs." : "Beside the dogs: no real dog is near.");
  function showPoint() {
    const circle = /** @type {SVGElement} */ (svg.querySelector(".point")), [x, y] = place.map(withinRoom);
    circle.setAttribute("cx", `${x}`);
    circle.setAttribute("cy", `${-y}`);
    circle.setAttribute("visibility", "visible");
    cloud.setAttribute("aria-valuenow", place[0].toFixed(1));
    cloud.setAttribute("aria-valuetext", `${place[0].toFixed(1)} across, ${place[1].toFixed(1)} up. ${sentence()}`);
  }
  listen(cloud, () => place, (x, y) => {
    place = [x, y].map(withinRoom);
    showPoint();
    if (told.textContent !== sentence()) told.textContent = sentence();
    picture.send();
  });
  return {
    /** @param {Room} given */
    enter(given) {
      room = given;
      place = given.directions.map((direction) => along(given.z, direction));
      picture.show(given.picture);
      cloud.removeAttribute("aria-disabled");
      const isSeen = place.every((v) => v === withinRoom(v));
      told.textContent = isSeen ? "The point is where your dog lies." : "Your dog lies further out than the room shows.";
      drawCloud(svg, room.points);
      showPoint();
    },
    /** @param {{ points: number[][], pictures: string[] }} draws @returns {number} how many are among the dogs */
    drop({ points, pictures }) {
      drawCloud(svg, room.points, points);
      showPoint();
      showRow(/** @type {HTMLElement} */ (figure.querySelector(".drawn")), pictures, "From the bell curve: random numbers");
      return points.filter((at) => isAmong(room.points, at)).length;
    },
  };
}

/**
 * Lets the point be moved by pointer and keys.
 * @param {HTMLElement} cloud @param {() => number[]} now @param {(x: number, y: number) => void} go
 */
function listen(cloud, now, go) {
  const isOpen = () => !cloud.hasAttribute("aria-disabled");
  const follow = (/** @type {PointerEvent} */ event) => {
    const { left, top, width, height } = cloud.getBoundingClientRect();
    go(((event.clientX - left) / width - 0.5) * 2 * EDGE, (0.5 - (event.clientY - top) / height) * 2 * EDGE);
  };
  cloud.addEventListener("pointerdown", (event) => {
    if (!isOpen()) return;
    cloud.setPointerCapture(event.pointerId);
    follow(event);
  });
  cloud.addEventListener("pointermove", (event) => { if (cloud.hasPointerCapture(event.pointerId)) follow(event); });
  cloud.addEventListener("keydown", (event) => {
    const [dx, dy] = KEYS[/** @type {keyof typeof KEYS} */ (event.key)] ?? [0, 0], [x, y] = now();
    if (!isOpen() || (!dx && !dy && event.key !== "Home")) return;
    event.preventDefault();
    event.key === "Home" ? go(0, 0) : go(x + dx * STEP, y + dy * STEP);
  });
}

async function drawFromBell() {
  const answer = await insist(() => bell(Math.floor(Math.random() * 2 ** 31)));
  if (!answer) return;
  const [left, right] = answer.rooms.map((draws, i) => views[i].drop(draws)), all = answer.rooms[0].points.length;
  part(".both").textContent = `The same ${all} random lists of numbers in both rooms. Autoencoder: ${left} of ${all} fell among its dogs. `
    + `VAE: ${right} of ${all}.`;
}

export const start = ofPhoto(rooms, (answer) => {
  if (!views.length) {
    views = allInside("rooms", ".room").map(view);
    part("button").addEventListener("click", drawFromBell);
  }
  answer.rooms.forEach((room, i) => views[i].enter(room));
  enable("rooms");
});
