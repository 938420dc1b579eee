// From a moved number to a new picture; one script with pad.js, which holds the dog and its sliders.
// A few requests on the way, numbered. The newest move wins; an answer older than what is shown is dropped;
// when the moves stop, a lossless picture of the last one follows.

const REST_MS = 140, RETRY_MS = 1500;
let sent = 0, shown = 0, onTheWay = 0, roundTrip = 40, wanted = null, restTimer = null;

const limit = () => Math.min(4, Math.max(1, Math.ceil(roundTrip / 45)));

function moved() {
  dog.settled = false;
  wanted = { still: false };
  clearTimeout(restTimer);
  restTimer = setTimeout(() => { wanted = { still: true }; pump(); }, REST_MS);
  pump();
}

function pump() {
  while (wanted && onTheWay < limit()) {
    const still = wanted.still;
    wanted = null;
    request(still);
  }
}

async function request(still) {
  const number = ++sent, began = performance.now(), edit = dog.edit;
  onTheWay++;
  try {
    const answer = await server.move({ space: dog.space, values: values(), still });
    if (answer.error && !answer.busy) return refuse(answer.error);
    if (answer.error) throw Object.assign(new Error(answer.error), { sentence: answer.error });
    roundTrip += 0.2 * (performance.now() - began - roundTrip);
    if (number > shown && edit === dog.edit) accept(answer, number, still);
  } catch (error) {
    say(error.sentence ?? "The server does not answer just now; your dog is kept, and the page tries again.", true);
    await new Promise((wait) => setTimeout(wait, RETRY_MS));
    wanted ??= { still: true };
  } finally {
    onTheWay--;
    pump();
  }
}

// Numbers that the server will not draw: back to the last that it did.
function refuse(sentence) {
  undo();
  say(sentence, true);
}

function accept(answer, number, still) {
  shown = number;
  find("#dog img").src = answer.picture;
  if (find("#message").classList.contains("problem")) say("");
  if (still && number === sent) {
    if (dog.space === "raw") dog.c = answer.c; // the numbers that the sliders moved stay as they are
    else dog.latent = answer.latent;
    rest();
  }
}

function rest() {
  clearTimeout(restTimer);
  wanted = null;
  dog.settled = true;
  element.dispatchEvent(new Event("settled"));
}

// Shows a dog whose picture and numbers are all known; nothing is asked of the server.
function restore(known) {
  shown = ++sent; // whatever is still on the way is older than this
  dog.edit++;
  dog.c = [...known.c];
  dog.latent = { ...known.latent, z: [...known.latent.z] };
  find("#dog img").src = known.picture;
  rest();
}

const settled = () =>
  dog.settled ? Promise.resolve() : new Promise((done) => element.addEventListener("settled", done, { once: true }));
