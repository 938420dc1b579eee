// Shows the dog's picture, `#dog img`. At rest it is the one in the store; while the dog moves, it comes as a file, and
// `#dog` is marked as busy.

import { image, part } from "./page.js";
import { state, subscribe } from "./store.js";

// Numbers of the last picture that came, and of the one that is shown.
let received = 0, shown = 0;
// The blob: address of the shown picture, to be revoked after the next; "" if it has none.
let blobAddress = "";

/** Shows the picture of a moving dog once it is decoded, unless a later one is shown. @param {Blob | string} picture */
export async function showMoving(picture) {
  const number = ++received, isFile = picture instanceof Blob;
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
  if (blobAddress) URL.revokeObjectURL(blobAddress);
  blobAddress = isFile ? address : "";
}

/** A file as a data: URL, which is never revoked. @param {Blob} file @returns {Promise<string>} */
export const toDataUrl = (file) => new Promise((take, fail) => {
  const reader = new FileReader();
  reader.onload = () => take(/** @type {string} */ (reader.result));
  reader.onerror = () => fail(reader.error);
  reader.readAsDataURL(file);
});

export function start() {
  subscribe(["dog"], () => { // a moving dog keeps the shown picture until its own comes
    const { settled, picture } = state.dog;
    part("#dog").setAttribute("aria-busy", `${!settled}`);
    if (settled && (received > shown || image("#dog img").src !== picture)) show(++received, picture);
  });
}
