// What the page knows, in one object. Everyone may read `state`; only update() changes it, and then calls those who
// subscribed to what changed. Values are replaced, never changed in place: a step of the history keeps the old ones.

/**
 * @typedef {{ format: number, weights: string, z: number[] }} Latent the model's raw numbers
 * @typedef {{ x: number, y: number, side: number }} Square in widths of the photo, from its top left corner
 * @typedef {import("./blend.js").Place} Place
 * @typedef {{ box: number[], score: number }} Head box: [x0, y0, x1, y1] as shares of the photo's width and height
 * @typedef {{ c: number[], picture: string, label: string }} Slot a dog that the tab Mix mixes
 * @typedef {{ c: number[], picture: string }} Pictured a dog, and a small picture of it
 * @typedef {Pictured} Favourite
 * @typedef {Pictured & { name: string, parents: number[], generation: number }} Relative parents: their places in the family
 * @typedef {{ seed: string, temperature: string, morph: string, like: string }} Fields
 * @typedef {"directions" | "raw" | "map"} Space
 */

/**
 * A dog as the server describes it. `c`: its coordinates along the principal directions, in standard deviations from
 * the mean dog. Only a dog that comes from a photo has what follows the picture.
 * @typedef {Object} Known
 * @property {number[]} c
 * @property {Latent} latent
 * @property {string} picture data URL
 * @property {File} [file]
 * @property {string} [caption] says that this is no photo of a visitor; then no head was looked for
 * @property {string} [photo] data URL of the whole photo, made small
 * @property {number} [ratio] width of the photo / its height
 * @property {number} [turns] quarters by which the photo was turned clockwise
 * @property {Head[]} [heads]
 * @property {boolean} [byHand] the visitor has drawn the box, or set eyes and nose
 * @property {Head | null} [guess] where no head is sure
 * @property {number[] | null} [box] what was cut out; null where no head was found
 * @property {number[]} [size] width and height of the photo in pixels, as the server read it
 * @property {Place} [place] of the square that was cut out, in those pixels
 * @property {number[][]} [landmarks] two eyes and the nose, in shares of the photo, where the model goes by them
 * @property {string} [hint] a word to the visitor about the photo
 * @property {string} [crop] data URL of what the model saw
 * @property {number} [psnr] of the reconstruction, in dB
 * @property {number} [percentile] of the dogs that the model learned from, how many lie nearer to the mean dog
 * @property {number} [nearer] seconds that it takes to bring the dog nearer to the photo
 * @property {boolean} [isNearest] that has been done
 */

/**
 * The dog on the page. The sliders move `c` or, in the space "raw", `latent.z`; the map moves `place`. The others of
 * the three are known again when the picture at rest has come: then the dog is `settled`.
 * @typedef {Object} Dog
 * @property {Space} space what is being moved
 * @property {number[]} c
 * @property {Latent} latent
 * @property {number[] | null} place x and y on the map, 0 to 1
 * @property {string} picture
 * @property {Known} base the dog that Reset goes back to
 * @property {number | null} seed null where it was not drawn from a seed
 * @property {number} temperature
 * @property {boolean} settled
 * @property {boolean} isAway it is no longer the one that it began as, edited: it was changed for another (Similar, Map ...)
 * @property {number} edit grows with each dog that takes another's place; answers for an earlier one come too late
 */

/**
 * @typedef {Object} Facts what the server says once of its model (ui/pad.py)
 * @property {{ c: number[], latent: Latent, seed: number }} first
 * @property {string} weights
 * @property {string} swapped the sentence for an answer by another model
 * @property {string[]} names of the directions
 * @property {number[]} share of each direction in all effect, in %
 * @property {number[]} raw_order
 * @property {number[]} slopes
 * @property {number[]} bends
 * @property {string[]} examples addresses of pictures
 * @property {{ name: string, low: string, high: string }[]} looks sliders by name; may be empty
 * @property {string[]} breeds may be empty
 * @property {number} partner the seed of the dog that there is to mix with at first
 */

/**
 * A step of the history: what Undo and Redo bring back.
 * @typedef {Pick<State, "dog" | "fields" | "locked" | "slots" | "favourites">} Step
 */

/**
 * @typedef {Object} State
 * @property {Facts} facts
 * @property {Dog} dog
 * @property {Known | null} sight the photo that is shown, with what came of it if a head was found
 * @property {Fields} fields what these fields show of the dog; a visitor may have typed something else meanwhile
 * @property {ReadonlySet<number>} locked directions whose value a random dog keeps
 * @property {{ a: Slot | null, b: Slot | null, c: Slot | null }} slots
 * @property {Favourite[]} favourites
 * @property {Relative[]} family puppies that were chosen, and their parents
 * @property {Step[]} past
 * @property {Step[]} future
 * @property {number} wish grows with each dog that is asked for; only the newest is waited for
 * @property {string} tab the panel that is open
 * @property {boolean} playing the morph of the tab Mix runs by itself
 * @property {string} crop the visitor's photo as the models see it; "" before there is one
 */

/** @typedef {{ keys: (keyof State)[], listener: (before: State) => void }} Subscription */

export const NO_SLOTS = { a: null, b: null, c: null };

/** @type {State} */
export const state = /** @type {any} */ ({ // facts, dog and fields are set by main.js, before anyone reads them
  sight: null,
  locked: new Set(),
  slots: NO_SLOTS,
  favourites: [],
  family: [],
  past: [],
  future: [],
  wish: 0,
  tab: "sliders",
  playing: false,
  crop: "",
});

/** @type {Subscription[]} */
let subscriptions = [];

/** @param {Partial<State>} changes */
export function update(changes) {
  const before = { ...state };
  Object.assign(state, changes);
  for (const { keys, listener } of subscriptions) {
    if (keys.some((key) => state[key] !== before[key])) listener(before);
  }
}

/**
 * Calls the listener after each update that replaced one of these keys; it is given the state before.
 * @param {(keyof State)[]} keys
 * @param {(before: State) => void} listener
 * @returns {() => void} ends the subscription
 */
export function subscribe(keys, listener) {
  const subscription = { keys, listener };
  subscriptions = [...subscriptions, subscription];
  return () => { subscriptions = subscriptions.filter((one) => one !== subscription); };
}

/**
 * The numbers that the sliders show, of the dog on the page or of the one that Reset goes back to.
 * @param {{ c: number[], latent: Latent }} of
 */
export const numbers = (of = state.dog, space = state.dog.space) => (space === "raw" ? of.latent.z : of.c);

/** Whether a dog differs from the one that Reset goes back to. On the map its numbers are not known: it does. */
export const changed = (dog = state.dog) => dog.space === "map"
  || numbers(dog, dog.space).some((v, i) => Math.abs(v - numbers(dog.base, dog.space)[i]) > 5e-4);

/** Whether a photo is in sight in which no dog was found. */
export const isUnseen = () => Boolean(state.sight?.photo && !state.sight.crop);

/** The photo's square that the dog is from; none where it is not, or no longer, from a photo, or from another than is in sight. */
export const cropOfDog = () => (isUnseen() || state.dog.isAway ? undefined : state.dog.base.crop);
