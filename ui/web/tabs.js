// The tabs beside the dog. What an ability needs is fetched when its tab is opened, and again when the dog has changed.

import { isShown, part, parts } from "./page.js";
import { state, subscribe, update } from "./store.js";

/** @type {Record<string, () => unknown>} what each panel fetches when its tab is opened */
const opened = {};
const CALM_MS = 300; // a dog that has rested for so long is worth looking round

/**
 * Calls refresh each time a tab is opened.
 * @param {string} panel id of the tab's panel
 * @param {() => unknown} refresh
 */
export function whenOpened(panel, refresh) {
  opened[panel] = refresh;
}

/**
 * Calls refresh each time a tab is opened, and while it is open when another dog has come to rest.
 * @param {string} panel id of the tab's panel
 * @param {() => unknown} refresh does nothing where the tab shows what belongs to this dog
 */
export function followDog(panel, refresh) {
  let calm = 0;
  whenOpened(panel, refresh);
  subscribe(["dog"], () => {
    if (!state.dog.settled || state.tab !== panel) return;
    clearTimeout(calm);
    calm = window.setTimeout(() => state.tab === panel && isShown() && refresh(), CALM_MS);
  });
}

export function start() {
  const tabs = parts("[role=tab]");
  const choose = (/** @type {HTMLElement} */ chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", `${tab === chosen}`);
      tab.tabIndex = tab === chosen ? 0 : -1;
      part(`#${tab.dataset.panel}`).hidden = tab !== chosen;
    }
    const panel = chosen.dataset.panel ?? "";
    update({ tab: panel, playing: false });
    opened[panel]?.();
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: -1 }[event.key];
      const next = to === undefined ? undefined : tabs.at(to % tabs.length);
      if (!next) return;
      event.preventDefault();
      next.focus();
      choose(next);
    });
  });
}
