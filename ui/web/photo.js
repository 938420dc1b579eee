// Sends the visitor's photo to the server, and shows what the model made of it. The server keeps nothing, so the photo
// is sent again for another box or turn.

import { fetchDog } from "./dog.js";
import { nearerAtOnce } from "./nearer.js";
import { image, onClick, part, say } from "./page.js";
import { inMemory, reconstruct, fileProblem } from "./server.js";
import { hasPhotoWithoutDog, state, subscribe, update } from "./store.js";
import { openTab } from "./tabs.js";

/** @import { Known, State } from "./store.js" */
/** @typedef {{ file?: File, caption?: string, turns?: number, heads?: Known["heads"] }} Photo */

/**
 * Fetches the dog in a photo that was just chosen.
 * @param {File} file
 * @param {string} [caption] for an example: a head that fills the picture, not a visitor's photo
 */
export async function seePhoto(file, caption) {
  if (fileProblem(file)) return say(fileProblem(file), true);
  return look({ file, caption, turns: 0 }, { whole: Boolean(caption) });
}

/**
 * Fetches the dog in a photo.
 * @param {Photo} photo
 * @param {{ box?: number[] | null, landmarks?: number[][] | null, whole?: boolean }} [wish] box: round the head, in
 *   shares of the photo; landmarks: its eyes and nose, likewise; whole: take the middle of the photo. Without all three,
 *   the server looks for a head
 */
export function look({ file, caption, turns, heads }, { box = null, landmarks = null, whole = false } = {}) {
  const byHand = box || landmarks; // then the server looks for no head
  const send = async () => {
    const wish = state.wish; // the number of this request, which fetchDog has just set
    // Read the file only once: it may be changed or removed later.
    const kept = file && file === state.sight?.file ? file : await inMemory(/** @type {File} */ (file));
    const answer = await reconstruct(kept, { turns, box, landmarks, whole });
    if (!answer.photo) return answer;
    const known = { ...answer, file: kept, caption, byHand: Boolean(byHand), heads: byHand ? heads ?? [] : answer.heads };
    if (answer.error && wish === state.wish) {
      update({ sight: known });
      await openTab("photo-panel");
      await image("#photo [data-part=photo]").decode().catch(() => {}); // its height is known only then
      part("#photo").scrollIntoView({ block: "nearest" }); // the error asks the visitor to act there
    }
    return known;
  };
  const sentence = (/** @type {Known} */ answer) => {
    update({ crop: answer.crop });
    const said = whole && !caption ? "The sliders now edit what came of it." : wordOf(answer);
    nearerAtOnce(said);
    return said;
  };
  return fetchDog(send, sentence, { doing: "Looking at the photo …" });
}

/** The message about a photo's dog. @param {Known} answer */
function wordOf({ heads, hint, byHand }) {
  const found = byHand ? 0 : heads?.length ?? 0;
  const several = found > 1 && `${found} heads found: "Change the crop" shows the others.`;
  return [several, hint].filter(Boolean).join(" ") || "The sliders now edit this dog.";
}

/** Whether both are from one square of a photo, as with nearer.js. @param {Known | null} a @param {Known | null} b */
export const sameSquare = (a, b) => Boolean(a?.crop && a.crop === b?.crop && a.photo === b.photo);

/** Shows what the model made of the photo, if there is a photo with a head. @param {State} before */
function showReconstruction(before) {
  const { sight } = state;
  part("#reconstruction").hidden = !sight?.crop;
  showUnseen();
  showFold(before);
  if (!sight?.crop) return;
  image("#reconstruction [data-part=crop]").src = sight.crop;
  part("#reconstruction .crop figcaption").textContent = sight.caption ?? "your photo, cropped";
  const fit = sight.steps ? "Brought nearer to the photo" : "As it was first drawn from the photo";
  part("#reconstruction p").textContent = `${fit}: PSNR ${sight.psnr?.toFixed(1)} dB. ${howUsual(sight.percentile ?? 0)}`;
}

/** If no head was found, shows the photo in the dog's place and blocks the dog's buttons until the visitor decides. */
function showUnseen() {
  const unseen = hasPhotoWithoutDog();
  image("#unseen").hidden = part("#back-to-dog").hidden = !unseen;
  if (unseen) image("#unseen").src = state.sight?.photo ?? "";
  part(".actions").inert = unseen;
  part("#sees").style.visibility = unseen ? "hidden" : ""; // it is about the dog, which the photo covers
}

/** Leaves a photo without a dog, and shows the former dog again. */
function backToDog() {
  if (!hasPhotoWithoutDog()) return;
  update({ sight: state.dog.base });
  say("Here is the dog from before.");
}

/**
 * Shows the controls of the crop if no head was found. Folds them away for a new photo with a head.
 * @param {State} before
 */
function showFold({ sight: last }) {
  const { sight } = state, fold = /** @type {HTMLDetailsElement} */ (part("#change-crop"));
  part("#found").hidden = !sight?.byHand || !sight.heads?.length;
  if (!sight?.file) return;
  if (!sight.box) fold.open = true;
  else if (sight.file !== last?.file) fold.open = false;
}

/** @param {number} percentile how many % of the dogs that the model learned from are nearer to the mean dog */
function howUsual(percentile) {
  const share = Math.min(99, Math.max(1, Math.round(percentile)));
  if (share <= 50) {
    return `An ordinary dog, as the model sees it: of those it learned from, ${100 - share} % lie further from the average dog.`;
  }
  const words = `further from the average dog than ${share} % of those it learned from`;
  return share < 95 ? `It lies ${words}.` : `The model has hardly seen the like: it lies ${words}.`;
}

/** @type {{ of: Known, turns: number } | null} */
let turning = null; // the photo that is being turned, and the turns that it is to have

/** @param {number} quarters of a full turn, clockwise, on top of those that are still being fetched */
async function turn(quarters) {
  const { sight } = state;
  if (!sight) return;
  const before = turning?.of === sight ? turning.turns : sight.turns ?? 0;
  const own = turning = { of: sight, turns: (before + quarters) % 4 };
  await look({ ...sight, turns: own.turns });
  if (turning === own) turning = null;
}

export function start() {
  subscribe(["sight"], showReconstruction);
  onClick("#turn-left", () => turn(3));
  onClick("#turn-right", () => turn(1));
  onClick("#found", () => { if (state.sight) look(state.sight); });
  onClick("#back-to-dog", backToDog);
  subscribe(["tab"], () => { if (state.tab !== "photo-panel") backToDog(); });
  onClick("#anyway", () => { if (state.sight) look(state.sight, { whole: true }); });
}
