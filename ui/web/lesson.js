// The tab "How it works": a lesson to play with. load.js calls start() when the tab is opened; the script and the
// pictures of a part are fetched when the reader scrolls near it.

import { attach, chosen, RETRY_MS, say, TROUBLE } from "./lesson-page.js";
import { connect } from "./lesson-server.js";
import { state, subscribe } from "./store.js";

const AHEAD = "400px"; // a part nearer than this to the window is fetched

/** @type {Record<string, () => Promise<() => unknown>>} */
const PARTS = {
  squeeze: async () => (await import("./lesson-squeeze.js")).start,
  rooms: async () => (await import("./lesson-rooms.js")).start,
  price: async () => (await import("./lesson-price.js")).start,
  blur: async () => (await import("./lesson-blur.js")).start,
  gan: async () => (await import("./lesson-blur.js")).startGan,
  fitted: async () => (await import("./lesson-fitted.js")).start,
};
const OF_PHOTO = ["squeeze", "rooms", "price", "blur"];

/** @type {Map<string, () => unknown>} the functions that fetch the pictures of parts already reached */
const begun = new Map();

function whose() {
  if (chosen()) return "the picture that you chose";
  return state.sight && !state.sight.crop ? "an example dog: no dog's head was found in your photo" : "an example dog";
}

/** @param {{ element: HTMLElement, server: Record<string, (data?: unknown) => Promise<any>> }} gradio */
export function start({ element, server }) {
  attach(element);
  connect(server);
  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      PARTS[target.id]().then((fetchPart) => {
        begun.set(target.id, fetchPart);
        return fetchPart();
      }).catch(() => {
        say(TROUBLE);
        setTimeout(() => near.observe(target), RETRY_MS);
      });
    }
  }, { rootMargin: AHEAD });
  for (const id of Object.keys(PARTS)) near.observe(/** @type {Element} */ (element.querySelector(`#${id}`)));
  let shown = chosen();
  const tell = () => { /** @type {Element} */ (element.querySelector(".whose")).textContent = whose(); };
  subscribe(["crop", "sight"], () => {
    tell();
    if (shown === chosen()) return;
    shown = chosen();
    for (const id of OF_PHOTO) begun.get(id)?.();
  });
  tell();
}
