// The state of the page in one object. Any module may read `state`; only update() changes it, and then calls those who
// subscribed to what changed. Values are replaced, never changed in place, because the history keeps the old ones.

/**
 * @typedef {{ format: number, weights: string, z: number[] }} Latent the model's raw numbers
 * @typedef {{ x: number, y: number, side: number }} Square in widths of the photo, from its top left corner
 * @typedef {import("./blend.js").Place} Place
 * @typedef {{ box: number[], score: number }} Head box: [x0, y0, x1, y1] as shares of the photo's width and height
 * @typedef {{ c: number[], picture: string, label: string }} Slot a dog that the tab Mix mixes
 * @typedef {{ c: number[], picture: string }} Pictured a dog, and a small picture of it
 * @typedef {Pictured} Favourite
 * @typedef {Pictured & { name: string, parents: number[], generation: number }} Relative parents: indexes in the family
 * @typedef {{ temperature: string, morph: string, like: string }} Fields
 * @typedef {"directions" | "raw" | "map"} Space
 */

/**
 * A dog as the server describes it. `c`: its coordinates along the principal directions, in standard deviations from
 * the mean dog. Only a dog from a photo has the properties that follow `picture`.
 * @typedef {Object} Known
 * @property {number[]} c
 * @property {Latent} latent
 * @property {string} picture data URL
 * @property {File} [file]
 * @property {string} [caption] of an example, in which no head was looked for; a visitor's photo has none
 * @property {string} [photo] data URL of a small copy of the whole photo
 * @property {number} [ratio] width of the photo / its height
 * @property {number} [turns] quarters of a full turn by which the photo was turned clockwise
 * @property {Head[]} [heads]
 * @property {boolean} [byHand] the visitor has drawn the box, or set eyes and nose
 * @property {Head | null} [guess] where a head might be, if none was found
 * @property {number[] | null} [box] of the head that was cut out, as in Head; null if none was found
 * @property {number[]} [size] width and height of the photo in pixels, as the server read it
 * @property {Place} [place] of the square that was cut out, in those pixels
 * @property {number[][]} [landmarks] two eyes and the nose, in shares of the photo, if the model uses them
 * @property {string} [hint] a message about the photo
 * @property {string} [crop] data URL of what the model saw
 * @property {number} [psnr] of the reconstruction, in dB
 * @property {number} [percentile] how many % of the dogs that the model learned from are nearer to the mean dog
 * @property {number} [nearer] seconds that nearer.js will take to make the dog more like the photo
 * @property {number} [steps] that nearer.js has taken
 * @property {boolean} [isNearest] whether nearer.js has finished
 */

/**
 * The dog on the page. The sliders move `c` or, in the space "raw", `latent.z`; the map moves `place`. Meanwhile the
 * other kinds of numbers are out of date. They come with the lossless picture: then the dog is `settled`.
 * @typedef {Object} Dog
 * @property {Space} space what is being moved
 * @property {number[]} c
 * @property {Latent} latent
 * @property {number[] | null} place x and y on the map, 0 to 1
 * @property {string} picture
 * @property {Known} base the dog that Reset goes back to
 * @property {number | null} seed null if it was not drawn from a seed
 * @property {number} temperature
 * @property {boolean} settled
 * @property {boolean} isAway it is another dog than `base` (from Similar, Map ...), not an edited `base`
 * @property {number} edit grows when another dog is shown; answers for an earlier number are ignored
 */

/**
 * @typedef {Object} Facts what the server tells about its model when the page is built (ui/facts.py)
 * @property {{ c: number[], latent: Latent, seed: number }} first
 * @property {string} weights
 * @property {string} swapped the message about an answer by another model
 * @property {string[]} names of the directions
 * @property {number[]} share of each direction in the whole effect, in %
 * @property {number[]} raw_order indexes of the raw numbers, the most important ones first
 * @property {number[]} slopes of mostPromising() in math.js; may be empty
 * @property {number[]} bends likewise
 * @property {string[]} examples addresses of pictures
 * @property {{ name: string, low: string, high: string }[]} looks sliders by name; may be empty
 * @property {string[]} breeds may be empty
 * @property {number} partner the seed of the first partner in the tabs Family and Mix
 */

/**
 * A step of the history: what Undo and Redo bring back.
 * @typedef {Pick<State, "dog" | "fields" | "locked" | "slots" | "favourites">} Step
 */

/**
 * @typedef {Object} State
 * @property {Facts} facts
 * @property {Dog} dog
 * @property {Known | null} sight the photo that is shown, and its dog if a head was found
 * @property {Fields} fields what the inputs show if the visitor has not typed something else
 * @property {ReadonlySet<number>} locked directions whose value a random dog keeps
 * @property {{ a: Slot | null, b: Slot | null, c: Slot | null }} slots
 * @property {Favourite[]} favourites
 * @property {Relative[]} family puppies that were chosen, and their parents
 * @property {Step[]} past
 * @property {Step[]} future
 * @property {number} wish the number of the last request for a dog; answers to earlier ones are ignored
 * @property {string} tab the panel that is open
 * @property {boolean} playing the morph of the tab Mix runs by itself
 * @property {string} crop the visitor's photo as the models see it; "" before there is one
 */

/** @typedef {{ keys: (keyof State)[], listener: (before: State) => void }} Subscription */

export const NO_SLOTS = { a: null, b: null, c: null };

/** @type {State} */
export const state = /** @type {any} */ ({ // main.js sets facts, dog and fields before they are read
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
 * Calls the listener after each update that replaced one of these keys, with the former state.
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
 * The numbers that the sliders show: those of the dog on the page, or of another one.
 * @param {{ c: number[], latent: Latent }} of
 */
export const numbers = (of = state.dog, space = state.dog.space) => (space === "raw" ? of.latent.z : of.c);

/** Whether a dog differs from the one that Reset goes back to. On the map, where its numbers are unknown: true. */
export const changed = (dog = state.dog) => dog.space === "map"
  || numbers(dog, dog.space).some((v, i) => Math.abs(v - numbers(dog.base, dog.space)[i]) > 5e-4);

/** The seed that draws the dog on the page; null if there is none, as after an edit. */
export const seedOfDog = () => (changed() ? null : state.dog.seed);

/** Whether a photo is shown in which no head was found. */
export const hasPhotoWithoutDog = () => Boolean(state.sight?.photo && !state.sight.crop);

/**
 * The crop of the photo that the dog was made from. None if it is from no photo or has become another dog, or if a
 * photo without a head is shown.
 */
export const cropOfDog = () => (hasPhotoWithoutDog() || state.dog.isAway ? undefined : state.dog.base.crop);
