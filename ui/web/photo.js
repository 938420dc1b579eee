// The visitor's photo: sent to the server, and shown with what the model made of it. The server keeps nothing: for another
// box or turn the photo is sent again.

import { fetchDog } from "./dog.js";
import { nearerAtOnce } from "./nearer.js";
import { image, onClick, part, say } from "./page.js";
import { inMemory, reconstruct, unfit } from "./server.js";
import { isUnseen, state, subscribe, update } from "./store.js";
import { openTab } from "./tabs.js";

/** @import { Known, State } from "./store.js" */
/** @typedef {{ file?: File, caption?: string, turns?: number, heads?: Known["heads"] }} Photo */

/**
 * Looks at a photo that was just chosen.
 * @param {File} file
 * @param {string} [caption] for a picture that is no visitor's photo, but a head that fills its frame
 */
export async function seePhoto(file, caption) {
  if (unfit(file)) return say(unfit(file), true);
  return look({ file, caption, turns: 0 }, { whole: Boolean(caption) });
}

/**
 * Fetches the dog in a photo.
 * @param {Photo} photo
 * @param {{ box?: number[] | null, landmarks?: number[][] | null, whole?: boolean }} [wish] box: the head, in shares of
 *   the photo; landmarks: its eyes and nose; whole: take the middle of the photo without looking for a head; with none, a
 *   head is looked for
 */
export function look({ file, caption, turns, heads }, { box = null, landmarks = null, whole = false } = {}) {
  const byHand = box || landmarks; // then no head is looked for
  const send = async () => {
    const wish = state.wish; // fetchDog has just counted this one
    // Read once: it may be changed or removed meanwhile.
    const kept = file && file === state.sight?.file ? file : await inMemory(/** @type {File} */ (file));
    const answer = await reconstruct(kept, { turns, box, landmarks, whole });
    if (!answer.photo) return answer;
    const known = { ...answer, file: kept, caption, byHand: Boolean(byHand), heads: byHand ? heads ?? [] : answer.heads };
    if (answer.error && wish === state.wish) {
      update({ sight: known });
      await openTab("photo-panel");
      await image("#photo [data-part=photo]").decode().catch(() => {}); // how high it is, is not known before
      part("#photo").scrollIntoView({ block: "nearest" }); // the error asks for something to be done there
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

/** What is said of a photo's dog. @param {Known} answer */
function wordOf({ heads, hint, byHand }) {
  const found = byHand ? 0 : heads?.length ?? 0, several = found > 1 ? `${found} heads found: choose one. ` : "";
  return several + (hint || "The sliders now edit this dog.");
}

/** Whether both are of one square of a photo, as where a dog has come nearer to it. @param {Known | null} a @param {Known | null} b */
export const sameSquare = (a, b) => Boolean(a?.crop && a.crop === b?.crop && a.photo === b.photo);

/** Shows what came of the photo; nothing where no head was found, or the dog is not from a photo. @param {State} before */
function showReconstruction(before) {
  const { sight } = state;
  part("#reconstruction").hidden = !sight?.crop;
  showUnseen();
  showFold(before);
  if (!sight?.crop) return;
  image("#reconstruction [data-part=crop]").src = sight.crop;
  part("#reconstruction .crop figcaption").textContent = sight.caption ?? "your photo, cropped";
  const fit = `As it was first drawn from the photo: PSNR ${sight.psnr?.toFixed(1)} dB.`;
  part("#reconstruction p").textContent = `${fit} ${howUsual(sight.percentile ?? 0)}`;
}

/** Where no head was found, the photo stands in the dog's place, and nothing else can be done until that is settled. */
function showUnseen() {
  const unseen = isUnseen();
  image("#unseen").hidden = part("#back-to-dog").hidden = !unseen;
  if (unseen) image("#unseen").src = state.sight?.photo ?? "";
  part(".actions").inert = unseen;
  part("#sees").style.visibility = unseen ? "hidden" : ""; // it is of the dog that the photo covers
}

/** From a photo without a dog back to the dog that was there before. */
function backToDog() {
  if (!isUnseen()) return;
  update({ sight: state.dog.base });
  say("Here is the dog from before.");
}

/**
 * The crop need not be changed where a head was found: its means are folded away, unless the visitor is at it.
 * @param {State} before
 */
function showFold({ sight: last }) {
  const { sight } = state, fold = /** @type {HTMLDetailsElement} */ (part("#change-crop"));
  part("#found").hidden = !sight?.byHand || !sight.heads?.length;
  if (!sight?.file) return;
  if (!sight.box) fold.open = true;
  else if (sight.file !== last?.file) fold.open = false;
}

/** @param {number} percentile of the dogs that the model learned from, how many lie nearer to the mean dog */
function howUsual(percentile) {
  const share = Math.min(99, Math.max(1, Math.round(percentile)));
  if (share <= 50) {
    return `An ordinary dog, as the model sees it: of those it learned from, ${100 - share} % lie further from the average dog.`;
  }
  const words = `further from the average dog than ${share} % of those it learned from`;
  return share < 95 ? `It lies ${words}.` : `The model has hardly seen the like: it lies ${words}.`;
}

/** @param {number} quarters clockwise */
function turn(quarters) {
  const { sight } = state;
  if (sight) look({ ...sight, turns: ((sight.turns ?? 0) + quarters) % 4 });
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
