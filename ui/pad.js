// The pad's side in the browser. It holds the dog's numbers; the server turns them into pictures (live.js).
// `element`, `props` and `server` are given by gr.HTML; `server` holds the functions of ui/pad.py.

const facts = props.value;
const find = (selector) => element.querySelector(selector);
const SLIDERS = 12, UNDO_STEPS = 50, MAX_BYTES = 25e6, MAX_LATENT_BYTES = 100e3;
const KEYS_MS = 800; // arrow keys that follow each other sooner are one step of undo

const OUT_OF_REACH = "The server does not answer just now; your dog is kept. Please try again.";

// ---- The dog: `c`, standard deviations along the directions, and `z`, the raw numbers. Both are known
// while it rests; a slider moves one of them, and the other follows with the next still picture.
const dog = { space: "directions", c: [], latent: null, base: null, seed: null, settled: true, edit: 0 };
const values = () => (dog.space === "raw" ? dog.latent.z : dog.c);
const baseValues = () => (dog.space === "raw" ? dog.base.latent.z : dog.base.c);

function say(text, problem = false) {
  find("#message").textContent = text;
  find("#message").classList.toggle("problem", problem);
}

// ---- A new dog: drawn, loaded or from a photo. What was there stays until the answer is good.
let latest = 0;

async function fetchDog(call, done, doing, caption) {
  const mine = ++latest;
  if (doing) say(doing);
  let answer;
  try {
    answer = await call();
    if (!answer) throw new Error("an upload that never arrived");
  } catch (error) {
    const large = /413|exceed|too large/i.test(String(error?.message ?? error));
    answer = { error: large ? "The file is larger than 25 MB; please choose a smaller photo."
                            : OUT_OF_REACH };
  }
  if (mine !== latest) return; // a newer wish overtook this one
  if (answer.error) return say(answer.error, true);
  remember();
  place({ ...answer, caption });
  say(done(answer));
}

function place(answer) {
  restore(answer);
  dog.base = answer;
  dog.seed = null;
  find("#seed").value = "";
  find("#reset").disabled = true;
  showReconstruction(answer.crop ? answer : null);
  renderSliders();
}

function draw(seed) {
  const temperature = Number(find("#temperature").value);
  return fetchDog(() => server.draw({ seed, temperature }), (answer) => {
    dog.seed = seed;
    find("#seed").value = seed;
    return `Seed ${seed}: draw it again any time.`;
  });
}

async function seePhoto(file, caption = "your photo, cropped") {
  if (file.size > MAX_BYTES) return say("The file is larger than 25 MB; please choose a smaller photo.", true);
  if (file.size === 0) return say("The file is empty; please choose another photo.", true);
  await fetchDog(() => server.reconstruct({ binary: true, data: { photo: file } }), (answer) => {
    window.dogvaePhoto = answer.crop; // for the page "How it works", which may not be there yet
    window.dispatchEvent(new CustomEvent("dogvae:photo", { detail: answer.crop }));
    return "The sliders now edit this dog.";
  }, "Looking at the photo …", caption);
}

function showReconstruction(answer) {
  const box = find("#reconstruction");
  box.hidden = !answer;
  if (!answer) return;
  box.querySelector("[data-part=crop]").src = answer.crop;
  box.querySelector("[data-part=picture]").src = answer.picture;
  box.querySelector("p").textContent =
    `PSNR ${answer.psnr.toFixed(1)} dB. Crop a photo to the head for the best likeness; it is not kept.`;
  box.querySelector("figcaption").textContent = answer.caption;
  box.answer = answer;
}

// ---- Undo: what the dog was before each change.
const history = [];

function remember() {
  if (!dog.base) return;
  history.push({
    settled: dog.settled, space: dog.space, c: [...dog.c], latent: { ...dog.latent, z: [...dog.latent.z] },
    base: dog.base, seed: dog.seed, seedField: find("#seed").value, temperature: find("#temperature").value,
    picture: find("#dog img").src, photo: find("#reconstruction").hidden ? null : find("#reconstruction").answer,
  });
  if (history.length > UNDO_STEPS) history.shift();
  find("#undo").disabled = false;
}

function undo() {
  const before = history.pop();
  if (!before) return;
  latest++; // a dog that is still being fetched comes too late
  setSpace(before.space);
  restore(before);
  dog.base = before.base;
  dog.seed = before.seed;
  find("#seed").value = before.seedField;
  find("#temperature").value = before.temperature;
  showTemperature();
  showReconstruction(before.photo);
  find("#undo").disabled = history.length === 0;
  find("#reset").disabled = !changed();
  renderSliders();
  if (!before.settled) moved();
  say("Undone.");
}

const changed = () => values().some((v, i) => Math.abs(v - baseValues()[i]) > 5e-4);

// ---- Sliders
let page = 0;
const order = () => (dog.space === "raw" ? facts.raw_order : facts.names.map((_, i) => i));

function renderSliders() {
  const raw = dog.space === "raw", box = find("#latents");
  const visible = order().slice(page * SLIDERS, (page + 1) * SLIDERS);
  box.replaceChildren(...visible.map((index) => {
    const name = raw ? `number ${index + 1}` : facts.names[index];
    const row = document.createElement("div");
    row.className = "slider";
    row.innerHTML = `<span class="name"></span><input type="range" min="-3" max="3" step="0.05">
      <output></output><button type="button" title="Back to where this dog began">&#8634;</button>`;
    row.querySelector(".name").textContent = name;
    if (!raw) {
      const effect = document.createElement("small");
      effect.textContent = `${facts.share[index].toFixed(1)} % effect`;
      row.querySelector(".name").append(effect);
    }
    const input = row.querySelector("input");
    input.setAttribute("aria-label", name);
    row.querySelector("button").setAttribute("aria-label", `Reset ${name}`);
    row.show = () => {
      input.value = values()[index];
      row.querySelector("output").textContent = values()[index].toFixed(2);
    };
    // One undo step for a whole drag, and for arrow keys that follow each other.
    let touched = false, held = false, pause;
    const letGo = () => { touched = held = false; };
    input.addEventListener("pointerdown", () => { held = true; });
    input.addEventListener("pointerup", letGo);
    input.addEventListener("blur", letGo);
    input.addEventListener("pointercancel", () => { // the finger meant to scroll the page
      if (touched) undo();
      letGo();
    });
    input.addEventListener("input", () => {
      if (!touched) remember();
      touched = true;
      clearTimeout(pause);
      pause = setTimeout(() => { touched = held; }, KEYS_MS);
      values()[index] = Number(input.value);
      row.show();
      find("#reset").disabled = false;
      moved();
    });
    row.querySelector("button").addEventListener("click", () => {
      if (values()[index] === baseValues()[index]) return;
      remember();
      values()[index] = baseValues()[index];
      row.show();
      find("#reset").disabled = !changed();
      if (changed()) moved();
      else restore(dog.base);
    });
    row.show();
    return row;
  }));
  find("#page").textContent = `${page * SLIDERS + 1}–${Math.min(order().length, (page + 1) * SLIDERS)} of ${order().length}`;
  find("#previous").disabled = page === 0;
  find("#next").disabled = (page + 1) * SLIDERS >= order().length;
  find(".hint").textContent = raw
    ? "The 256 numbers themselves, the ones that carry most first. Most of them do little alone."
    : "Directions in which real dogs vary most, in standard deviations from the mean dog, strongest effect first.";
}

function setSpace(space) {
  if (dog.space !== space) page = 0;
  dog.space = space;
  find("#directions").setAttribute("aria-pressed", space === "directions");
  find("#raw").setAttribute("aria-pressed", space === "raw");
}

async function chooseSpace(space) {
  await settled(); // so that both kinds of numbers are those of the picture
  setSpace(space);
  renderSliders();
}

function turnPage(step) {
  page += step; // at either end the button is disabled
  renderSliders();
}

// ---- Files out
function save(href, name) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
}

const fileName = (ending) => `dog-${dog.seed === null || changed() ? "edited" : dog.seed}.${ending}`;

async function saveLatent() {
  await settled();
  const url = URL.createObjectURL(new Blob([JSON.stringify(dog.latent)], { type: "application/json" }));
  save(url, fileName("json"));
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

async function loadLatent(file) {
  if (file.size > MAX_LATENT_BYTES) return say("This file is too large to be a latent, which is a list of 256 numbers.", true);
  let latent;
  try {
    latent = JSON.parse(await file.text());
  } catch {
    return say("This file is not a latent: it is no valid JSON.", true);
  }
  await fetchDog(() => server.load(latent), () => "Latent loaded.");
}

function showTemperature() {
  find(".grow output").textContent = Number(find("#temperature").value).toFixed(2);
}

// ---- Events
const onFile = (selector, handle) => find(selector).addEventListener("change", (event) => {
  const file = event.target.files[0];
  event.target.value = ""; // the same file can be chosen again
  if (file) handle(file);
});

find("#random").addEventListener("click", () => draw(Math.floor(Math.random() * 1e6)));
find("#seed").addEventListener("change", (event) => {
  const seed = Number(event.target.value);
  if (event.target.value === "" || !Number.isInteger(seed) || seed < 0) return say("The seed is a whole number, 0 or more.", true);
  draw(seed);
});
find("#temperature").addEventListener("input", showTemperature);
find("#temperature").addEventListener("change", () => {
  if (dog.seed !== null) draw(dog.seed);
  else say("The temperature counts for the next random dog.");
});
onFile("#upload input", seePhoto);
onFile("#load-latent input", loadLatent);
find("#undo").addEventListener("click", undo);
find("#reset").addEventListener("click", () => {
  remember();
  restore(dog.base);
  find("#reset").disabled = true;
  renderSliders();
});
find("#directions").addEventListener("click", () => chooseSpace("directions"));
find("#raw").addEventListener("click", () => chooseSpace("raw"));
find("#previous").addEventListener("click", () => turnPage(-1));
find("#next").addEventListener("click", () => turnPage(1));
find("#save-png").addEventListener("click", async () => { await settled(); save(find("#dog img").src, fileName("png")); });
find("#save-latent").addEventListener("click", saveLatent);

for (const [index, url] of facts.examples.entries()) {
  const button = document.createElement("button");
  button.type = "button";
  button.innerHTML = `<img src="${url}" alt="Example dog ${index + 1}, drawn by the model" width="56" height="56">`;
  button.addEventListener("click", async () => {
    const blob = await fetch(url).then((answer) => answer.blob()).catch(() => null);
    if (!blob) return say(OUT_OF_REACH, true);
    await seePhoto(new File([blob], `example-${index + 1}.png`, { type: blob.type }), "example, drawn by DogVAE");
  });
  find(".examples").append(button);
}

// ---- The first dog, drawn before the page was asked for
place(facts.first);
dog.seed = facts.first.seed;
find("#seed").value = facts.first.seed;
showTemperature();
say(`Seed ${facts.first.seed}: drawn from 256 numbers. Move a slider.`);
