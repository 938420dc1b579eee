// From a moved number to a new picture; the first part of one script (ui/pad.py), whose pad.js holds the dog.
// A few requests on the way, numbered. The newest move wins; an answer older than what is shown is dropped;
// when the moves stop, a lossless picture of the last one follows.

const REST_MS = 140, RETRY_MS = 1500, LOST_MS = 10000;
const PAGE = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
let sent = 0, shown = 0, moving = 0, network = 10, wanted = null, restTimer = null;

// How many moves may be on the way: `network` is the time outside the server, since more requests help against a slow
// network, but not against a slow server or a crowd. A picture at rest holds up no move.
const limit = () => Math.min(4, 1 + Math.round(network / 45));

function moved() {
  dog.settled = false;
  if (dog.space !== "map") dog.place = null;
  noteFields();
  if (!find("#message").classList.contains("problem")) say("");
  wanted = { still: false };
  clearTimeout(restTimer);
  restTimer = setTimeout(comeToRest, REST_MS);
  pump();
}

function comeToRest() {
  if (moving) restTimer = setTimeout(comeToRest, REST_MS); // a slow server has enough to do with the moves
  else wanted = { still: true };
  pump();
}

function pump() {
  while (wanted && moving < limit()) {
    const still = wanted.still;
    wanted = null;
    request(still);
  }
}

async function request(still) {
  const number = ++sent, began = performance.now(), edit = dog.edit;
  moving += still ? 0 : 1;
  try {
    const values = dog.space === "map" ? dog.place : numbers();
    const move = { page: PAGE, number, weights: facts.weights, space: dog.space, values, still };
    const answer = await inTime(server.move(move));
    if (answer.dropped) return; // the server has a newer one of this page
    if (answer.error && !answer.busy) return edit === dog.edit && refuse(answer.error);
    if (answer.error) throw Object.assign(new Error(answer.error), { sentence: answer.error });
    network += 0.2 * (performance.now() - began - answer.took - network);
    if (number > shown && edit === dog.edit) accept(answer, number, still);
  } catch (error) {
    const sentence = error.sentence ?? "The server does not answer just now; your dog is kept, and the page tries again.";
    if (edit === dog.edit && !dog.settled) say(sentence, true); // else another dog has come meanwhile
    await new Promise((wait) => setTimeout(wait, RETRY_MS));
    if (!dog.settled) wanted ??= { still: true };
  } finally {
    moving -= still ? 0 : 1;
    pump();
  }
}

// A network that was cut may leave an answer hanging for minutes.
function inTime(answer) {
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("no answer in time")), LOST_MS); });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
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
  if (!still || number !== sent || wanted) return;
  // The numbers that were moved stay as they are; the others follow.
  if (dog.space !== "directions") dog.c = answer.c;
  if (dog.space !== "raw") dog.latent = answer.latent;
  if (dog.space === "map") dog.space = "directions";
  rest();
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

// Until the numbers are known that belong to the picture.
function settled() {
  stop(); // a morph that plays would never rest
  return dog.settled ? Promise.resolve() : new Promise((done) => element.addEventListener("settled", done, { once: true }));
}
