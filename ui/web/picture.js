// The dog's picture, `#dog img`. At rest it is the store's; while the dog moves, files come that are shown for a moment.

import { image } from "./page.js";
import { state, subscribe } from "./store.js";

let asked = 0, shown = 0; // pictures are numbered, as they come and as they are shown
let passing = ""; // the blob: address that is shown, to be given up after the next picture

/** Shows the picture of a moving dog once it is decoded, unless a later one is there already. @param {Blob | string} picture */
export async function showMoving(picture) {
  const number = ++asked, isFile = picture instanceof Blob;
  const address = isFile ? URL.createObjectURL(picture) : picture;
  const decoded = Object.assign(new Image(), { src: address });
  const isGood = await decoded.decode().then(() => true, () => false);
  if (isGood && number > shown) show(number, address, isFile);
  else if (isFile) URL.revokeObjectURL(address);
}

/** @param {number} number @param {string} address @param {boolean} [isFile] */
function show(number, address, isFile = false) {
  shown = number;
  image("#dog img").src = address;
  if (passing) URL.revokeObjectURL(passing);
  passing = isFile ? address : "";
}

/** A file as a data: URL, which outlives the page's moves. @param {Blob} file @returns {Promise<string>} */
export const toDataUrl = (file) => new Promise((take, fail) => {
  const reader = new FileReader();
  reader.onload = () => take(/** @type {string} */ (reader.result));
  reader.onerror = () => fail(reader.error);
  reader.readAsDataURL(file);
});

export function start() {
  subscribe(["dog"], () => { // a dog that moves keeps the picture that is shown until its own comes
    const { settled, picture } = state.dog;
    if (settled && (asked > shown || image("#dog img").src !== picture)) show(++asked, picture);
  });
}
