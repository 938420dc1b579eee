// The dog. The browser holds its numbers; the server turns them into pictures (live.js).
// `element`, `props` and `server` are given by gr.HTML; `server` holds the functions of ui/pad.py.

const facts = props.value;
const find = (selector) => element.querySelector(selector);
const OUT_OF_REACH = "The server does not answer just now; your dog is kept. Please try again.";

// ---- The dog: `c`, standard deviations along the directions, and `z`, the raw numbers. Both are known
// while it rests; one of them is moved, and the other follows with the next still picture. On the map neither is
// known until then, only the `place`. `base` is the dog that Reset goes back to.
const dog = {
  space: "directions", c: [], latent: null, place: null, base: null, seed: null, temperature: 1, settled: true, edit: 0,
};
const numbers = (of = dog) => (dog.space === "raw" ? of.latent.z : of.c); // what the sliders show
const changed = () => dog.space === "map" || numbers().some((v, i) => Math.abs(v - numbers(dog.base)[i]) > 5e-4);

function say(text, problem = false) {
  find("#message").textContent = text;
  find("#message").classList.toggle("problem", problem);
}

const onFile = (selector, handle) => find(selector).addEventListener("change", (event) => {
  const file = event.target.files[0];
  event.target.value = ""; // the same file can be chosen again
  if (file) handle(file);
});

// An answer whose numbers are another model's is none for this page.
const ours = (answer) => (answer?.latent && answer.latent.weights !== facts.weights ? { error: facts.swapped } : answer);

// ---- A new dog: drawn, loaded or from a photo. What was there stays until the answer is good.
let latest = 0;

async function fetchDog(call, done, doing, caption) {
  const mine = ++latest;
  if (doing) say(doing);
  let answer;
  try {
    answer = ours(await call());
    if (!answer) throw new Error("an upload that never arrived");
  } catch (error) {
    const large = /413|exceed|too large/i.test(String(error?.message ?? error));
    answer = { error: large ? "The file is larger than 25 MB; please choose a smaller photo."
                            : OUT_OF_REACH };
  }
  if (mine !== latest || answer.dropped) return; // a newer wish overtook this one
  if (answer.error) {
    putFields(fields); // a seed that was typed is not this dog's
    return say(answer.error, true);
  }
  remember();
  place({ ...answer, caption });
  say(done(answer));
  noteFields();
}

function place(answer) {
  beginFrom(answer);
  dog.seed = null;
  find("#seed").value = "";
}

// The dog on the stage is the one that Reset goes back to.
function beginFrom(base) {
  stop();
  dog.place = null;
  if (dog.space === "map") setSpace("directions");
  restore(base);
  dog.base = base;
  showReconstruction(base);
  renderSliders();
  showSteps();
}

// Moves this dog to other numbers; as with a slider, Reset goes back to where it began.
function moveTo(c) {
  const wasRaw = dog.space === "raw";
  setSpace("directions");
  dog.c = c;
  moved();
  wasRaw ? renderSliders() : showSliders();
  showSteps();
}

const NO_SEED = "The seed is a whole number, 0 or more.";
const isSeed = (text) => text !== "" && Number.isInteger(Number(text)) && Number(text) >= 0;

// A seed's dog, but with the values of the locked sliders.
function draw(seed, temperature = Number(find("#temperature").value), keep = [...locked].map((index) => [index, dog.c[index]])) {
  return fetchDog(() => server.draw({ seed, temperature, keep, weights: facts.weights }), () => {
    find("#seed").value = seed;
    if (keep.length) return `Seed ${seed}, but for ${keep.length === 1 ? "the locked slider" : `${keep.length} locked sliders`}.`;
    dog.seed = seed;
    dog.temperature = temperature;
    return `Seed ${seed}: draw it again any time.`;
  });
}

function reset() {
  remember();
  beginFrom(dog.base);
}

function showTemperature() {
  find(".grow output").textContent = Number(find("#temperature").value).toFixed(2);
}
