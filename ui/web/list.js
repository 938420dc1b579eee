// A list whose entries are things to do, as in the tabs Family and Mix.

/**
 * Lets a list do what is chosen from it. Then it shows its first entry again, so that the same can be chosen anew.
 * @param {HTMLSelectElement} list
 * @param {() => string[][]} entries [value, text] of each; they are made anew whenever the list is used
 * @param {(value: string) => void} choose
 */
export function startList(list, entries, choose) {
  const offer = () => list.replaceChildren(...entries().map(([value, text]) => new Option(text, value)));
  list.addEventListener("focus", offer);
  list.addEventListener("pointerdown", offer);
  list.addEventListener("keydown", openByKey);
  list.addEventListener("change", () => {
    const { value } = list;
    list.value = "";
    choose(value);
  });
  offer();
}

/**
 * Opens the list by a key which, while it is closed, would choose an entry at once: an arrow would do whatever is first,
 * and never reach the others. @param {KeyboardEvent} event
 */
function openByKey(event) {
  const chooses = /^(Arrow|Page|Home$|End$|[^ ]$)/.test(event.key) && !event.altKey && !event.ctrlKey && !event.metaKey;
  if (!chooses) return;
  event.preventDefault();
  try {
    /** @type {HTMLSelectElement} */ (event.currentTarget).showPicker();
  } catch { /* an old browser, or a frame of another site: there the space bar opens it */ }
}
