// The tab Family: offers puppies of the dog on the page and a partner, and draws the family tree of the chosen ones.

import { goTo, moveDog, randomSeed, seedDog, whenSettled } from "./dog.js";
import { remember } from "./history.js";
import { startList } from "./list.js";
import { mostPromising, puppy, sameDog } from "./math.js";
import { build, button, image, onClick, part } from "./page.js";
import { state, subscribe, update } from "./store.js";
import { followDog } from "./tabs.js";
import { offer } from "./thumbs.js";

/** @import { Pictured, Relative } from "./store.js" */

const PUPPIES = 8;
// Random candidates for each puppy; the most promising of them is shown.
const LITTER = 4;
const ROW = 104; // px from one generation to the next

/** @type {Pictured | null} */
let mate = null;
let choices = 0; // counts those of a partner: an answer to an earlier one is ignored

// ---- The two parents
function showParents() {
  if (state.dog.settled) image("#parent").src = state.dog.picture;
  image("#mate").hidden = !mate;
  if (mate) image("#mate").src = mate.picture;
  button("#breed").disabled = !mate;
}

/** The entries of the partner's list: [value, text]. @returns {string[][]} */
const partners = () => [
  ["", "Another partner …"], ["random", "A random dog"],
  ...state.favourites.map((_, i) => [`kept ${i}`, `Favourite ${i + 1}`]),
  ...state.family.map(({ name }, i) => [`family ${i}`, name]),
];

/** @param {string} source chosen from the list */
async function choosePartner(source) {
  const [kind, which] = source.split(" "), choice = ++choices;
  const known = kind === "kept" ? state.favourites : state.family;
  const dog = kind === "random" ? await seedDog(randomSeed()) : known[Number(which)];
  if (!dog || choice !== choices) return;
  mate = dog;
  part("#puppies").replaceChildren();
  showParents();
}

async function showFamily() {
  const first = mate ?? await seedDog(state.facts.partner);
  mate ??= first; // the visitor may have chosen another one meanwhile
  showParents();
}

// ---- Puppies
async function breed() {
  await whenSettled();
  const { c, picture } = state.dog, partner = mate, { slopes, bends } = state.facts;
  if (!partner) return;
  const litter = () => Array.from({ length: LITTER }, () => puppy(c, partner.c));
  const dogs = Array.from({ length: PUPPIES }, () => mostPromising(litter(), slopes, bends));
  await offer("#puppies", dogs, "Puppy", (i, small) => {
    remember();
    moveDog(dogs[i], { isAway: true });
    join({ c, picture }, partner, { c: dogs[i], picture: small });
  });
}

/**
 * Adds a puppy to the family, and its parents if they are not in it yet.
 * @param {Pictured} mother @param {Pictured} father @param {Pictured} child
 */
function join(mother, father, child) {
  let { family } = state;
  /** @param {Pictured} dog @param {number[]} parents */
  const member = ({ c, picture }, parents) => {
    const known = family.findIndex((one) => sameDog(one.c, c));
    if (known >= 0) return known;
    const generation = 1 + Math.max(-1, ...parents.map((i) => family[i].generation));
    const name = parents.length ? `Puppy ${family.filter((one) => one.parents.length).length + 1}` : `Dog ${family.length + 1}`;
    family = [...family, { c, picture, parents, generation, name }];
    return family.length - 1;
  };
  member(child, [member(mother, []), member(father, [])]);
  update({ family });
}

// ---- The tree: one row per generation, and lines from each puppy to its parents
function showTree() {
  const { family } = state, rows = /** @type {Relative[][]} */ ([]);
  for (const dog of family) (rows[dog.generation] ??= []).push(dog);
  const widest = Math.max(1, ...rows.map((row) => row.length));
  const across = (/** @type {Relative} */ dog) => {
    const row = rows[dog.generation];
    return 100 * (row.indexOf(dog) + 0.5) / row.length;
  };
  const down = (/** @type {Relative} */ dog) => dog.generation * ROW + ROW / 2;
  const lines = family.flatMap((dog) => dog.parents.map((i) => `<line x1="${across(dog)}%" y1="${down(dog)}"
    x2="${across(family[i])}%" y2="${down(family[i])}"/>`));
  const tree = build(`<div style="height: ${rows.length * ROW}px; min-width: ${widest * 76}px">
    <svg width="100%" height="100%" aria-hidden="true">${lines.join("")}</svg></div>`);
  for (const dog of family) tree.append(relative(dog, across(dog), down(dog)));
  part("#tree").replaceChildren(...(family.length ? [build("<h2>Family tree</h2>"), build('<div class="sideways"></div>')] : []));
  part("#tree .sideways")?.append(tree);
}

/** @param {Relative} dog @param {number} across percent @param {number} down px */
function relative(dog, across, down) {
  const of = dog.parents.map((i) => state.family[i].name).join(" and ");
  const node = build(`<button type="button" style="left: ${across}%; top: ${down}px" aria-label="${dog.name}${of && `, of ${of}`}">
    <img alt=""><span>${dog.name}</span></button>`);
  /** @type {HTMLImageElement} */ (node.firstElementChild).src = dog.picture;
  node.setAttribute("aria-current", `${sameDog(dog.c, state.dog.c)}`);
  node.addEventListener("click", () => goTo(dog.c, `Back to ${dog.name}.`));
  return node;
}

export function start() {
  followDog("family", showFamily);
  subscribe(["family", "dog"], (before) => {
    if (state.family !== before.family || (state.dog.settled && state.family.length)) showTree();
  });
  startList(/** @type {HTMLSelectElement} */ (part("#partner")), partners, choosePartner);
  onClick("#breed", breed);
}
