// Functions that find and make elements of the page (pad.html), and show messages under the dog.

/** @type {HTMLElement} */
let pad;

/** @param {HTMLElement} element the component that Gradio made of pad.html */
export function attach(element) {
  pad = element;
}

// These find one element. They differ only in its type, which the caller knows.
/** @param {string} selector @returns {HTMLElement} */
export const part = (selector) => /** @type {HTMLElement} */ (pad.querySelector(selector));
/** @param {string} selector @returns {HTMLInputElement} */
export const field = (selector) => /** @type {HTMLInputElement} */ (part(selector));
/** @param {string} selector @returns {HTMLButtonElement} */
export const button = (selector) => /** @type {HTMLButtonElement} */ (part(selector));
/** @param {string} selector @returns {HTMLImageElement} */
export const image = (selector) => /** @type {HTMLImageElement} */ (part(selector));
/** @param {string} selector @returns {HTMLElement[]} */
export const parts = (selector) => [...pad.querySelectorAll(selector)].map((node) => /** @type {HTMLElement} */ (node));

/** Whether the tab "Draw a dog" is open; if not, keys and dropped photos are not meant for the pad. */
export const isShown = () => pad.isConnected && pad.offsetParent !== null;

/** @param {string} selector @param {() => void} action */
export const onClick = (selector, action) => part(selector).addEventListener("click", action);

/**
 * @param {string} selector an input for files
 * @param {(file: File) => void} handle
 */
export function onFile(selector, handle) {
  const input = field(selector);
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = ""; // so that the same file can be chosen again
    if (file) handle(file);
  });
}

/**
 * Notes what pressed an element last: "mouse", "touch" or "pen". On iPhones before iOS 18.4 the click that follows does
 * not tell.
 * @param {HTMLElement} element
 * @returns {() => string} "" before the first press
 */
export function pressedBy(element) {
  let pointer = "";
  element.addEventListener("pointerdown", (event) => { pointer = event.pointerType; }, true); // true: before a button in it can stop the event
  return () => pointer;
}

/** Shows a message under the dog. @param {string} text */
export function say(text, problem = false) {
  part("#message").textContent = text;
  part("#message").classList.toggle("problem", problem);
}

export const hasProblem = () => part("#message").classList.contains("problem");

/** Makes an element. @param {string} html @returns {HTMLElement} */
export function build(html) {
  const holder = document.createElement("div");
  holder.innerHTML = html;
  return /** @type {HTMLElement} */ (holder.firstElementChild);
}

// Time for the browser to read a saved file before its address is revoked.
const KEEP_URL_MS = 10000;

/** Makes the browser save a file. @param {Blob} blob @param {string} fileName */
export function saveBlob(blob, fileName) {
  const address = URL.createObjectURL(blob);
  saveFile(address, fileName);
  setTimeout(() => URL.revokeObjectURL(address), KEEP_URL_MS);
}

/** Makes the browser save the file at an address. @param {string} address @param {string} fileName */
export function saveFile(address, fileName) {
  const link = document.createElement("a");
  link.href = address;
  link.download = fileName;
  link.click();
}
