// The lesson's requests to the server: each function calls one of ui/lesson/page.py. The answers are described in
// ui/lesson/says.py.

/** @import { Failure } from "./server.js" */
/**
 * @typedef {number[][]} Points across and up, in standard deviations of the bell curve
 * @typedef {{ crop: string, size: number, steps: { kept: number, picture: string, psnr: number }[] }} Squeezed
 * @typedef {{ name: string, points: Points, directions: number[][], z: number[], picture: string }} Room
 * @typedef {{ crop: string, rooms: Room[] }} Rooms
 * @typedef {{ rooms: { points: Points, pictures: string[] }[] }} Draws
 * @typedef {{ price: number, likeness: number, dogs: number, points: Points, pictures: string[], rebuilt: string }} Priced
 * @typedef {{ crop: string, chosen: number, seed: number, models: Priced[] }} Prices
 * @typedef {{ crop: string, by_pixels: string, means: { count: number, picture: string }[] }} Hair
 * @typedef {{ stages: { images: number, pictures: string[] }[], losses: number[][] }} Gan
 * @typedef {{ rows: { price: number, bell: string[], fitted: string[] }[] }} Fitted
 */

/** @type {Record<string, (data?: unknown) => Promise<any>>} */
let functions = {};

/** @param {typeof functions} given what Gradio hands to the component's script */
export const connect = (given) => { functions = given; };

/** @param {string} name @param {unknown} data */
async function call(name, data) {
  const answer = await functions[name](data);
  if (!answer) throw new Error("no answer");
  return answer;
}

/** @param {Blob | null} photo */
const upload = (photo) => (photo ? { binary: true, data: { photo } } : null);

/** @param {Blob | null} photo @returns {Promise<Squeezed & Failure>} */
export const squeeze = (photo) => call("squeeze", upload(photo));

/** @param {Blob | null} photo @returns {Promise<Rooms & Failure>} */
export const rooms = (photo) => call("rooms", upload(photo));

/** @param {{ page: string, number: number, room: string, z: number[] }} move @returns {Promise<{ picture: string } & Failure>} */
export const point = (move) => call("point", move);

/** @param {number} seed @returns {Promise<Draws & Failure>} */
export const bell = (seed) => call("bell", { seed });

/** @param {Blob | null} photo @returns {Promise<Prices & Failure>} */
export const price = (photo) => call("price", upload(photo));

/** @param {Blob | null} photo @returns {Promise<Hair & Failure>} */
export const hair = (photo) => call("hair", upload(photo));

/** @param {number} seed @returns {Promise<Gan & Failure>} */
export const gan = (seed) => call("gan", { seed });

/** @param {number} seed @returns {Promise<Fitted & Failure>} */
export const fitted = (seed) => call("fitted", { seed });
