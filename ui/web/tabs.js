// The tabs beside the dog. Opening a tab fetches the scripts that only this tab needs, and what it shows from the
// server. Some tabs fetch that again when the dog has changed.

import { isShown, part, parts, say } from "./page.js";
import { unreachableMessage } from "./server.js";
import { state, subscribe, update } from "./store.js";

/** @type {Record<string, () => Promise<{ start: () => void }>[]>} fetches the modules that only this panel needs */
const MODULES = {
  "photo-panel": () => [
    import("./photo.js"), import("./box.js"), import("./face.js"), import("./nearer.js"), import("./compare.js"), import("./back.js"),
  ],
  "twelve": () => [import("./wall.js")],
  "similar": () => [import("./similar.js")],
  "family": () => [import("./family.js")],
  "mix": () => [import("./mix.js")],
  "map-panel": () => [import("./map.js")],
  "plane-panel": () => [import("./plane.js")],
};
/** @type {Record<string, Promise<void>>} */
const fetched = {};
/** @type {Record<string, () => unknown>} what each panel calls when its tab is opened */
const opened = {};
// How long a dog rests before an open tab is refreshed.
const CALM_MS = 300;

/**
 * Calls refresh each time a tab is opened.
 * @param {string} panel id of the tab's panel
 * @param {() => unknown} refresh
 */
export function whenOpened(panel, refresh) {
  opened[panel] = refresh;
}

/**
 * Calls refresh each time a tab is opened and, while it is open, each time the dog has come to rest.
 * @param {string} panel id of the tab's panel
 * @param {() => unknown} refresh should do nothing if the tab shows what belongs to this dog
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

/** Fetches a panel's scripts, once. If that fails, shows a message and returns false. @param {string} panel */
export async function fetchScripts(panel) {
  try {
    await (fetched[panel] ??= Promise.all(MODULES[panel]?.() ?? []).then((modules) => {
      for (const module of modules) module.start();
    }));
    return true;
  } catch {
    delete fetched[panel]; // the next tap tries again
    say(unreachableMessage(), true);
    return false;
  }
}

/**
 * Opens a tab; resolves when its panel can be used. @param {string} panel id of the tab's panel
 */
export async function openTab(panel) {
  for (const tab of parts("[role=tab]")) {
    const chosen = tab.dataset.panel === panel;
    tab.setAttribute("aria-selected", `${chosen}`);
    tab.tabIndex = chosen ? 0 : -1;
    part(`#${tab.dataset.panel}`).hidden = !chosen;
    if (chosen) bringIntoView(tab, panel);
  }
  update({ tab: panel, playing: false });
  if (await fetchScripts(panel) && state.tab === panel) opened[panel]?.();
}

/** Scrolls to the tab in its strip, and to the panel below the dog. @param {HTMLElement} tab @param {string} panel */
function bringIntoView(tab, panel) {
  const strip = part(".tabs"), section = part(`#${panel}`);
  strip.scrollLeft = tab.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
  const below = strip.getBoundingClientRect().bottom, { top } = section.getBoundingClientRect();
  if (isNarrow() || top < below) section.scrollIntoView(); // its scroll margin leaves room for what sticks above
}

/** Whether the dog is above the panel, not beside it. */
const isNarrow = () => part(".pad").offsetWidth < 1.5 * part(".stage").offsetWidth;

export function start() {
  const tabs = parts("[role=tab]");
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => openTab(tab.dataset.panel ?? ""));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: -1 }[event.key];
      const next = to === undefined ? undefined : tabs.at(to % tabs.length);
      if (!next) return;
      event.preventDefault();
      next.focus({ preventScroll: true });
      openTab(next.dataset.panel ?? "");
    });
  });
  const stage = part(".stage"); // the tabs stick below it
  new ResizeObserver(() => part(".pad").style.setProperty("--stage", `${stage.offsetHeight}px`)).observe(stage);
}
