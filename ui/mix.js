// Mixing dogs: the way from A to B, puppies of both, and "more like B, less like C".

const slots = { a: null, b: null, c: null }; // each { c, picture, label }; all of it is at hand, so mixing is done here
const FRAMES = 36, PASS_MS = 3000;
const length = (p) => Math.hypot(...p), dot = (p, q) => p.reduce((sum, v, i) => sum + v * q[i], 0);

// Along a great circle: dogs live on a shell, and a straight line would pass through the pale mean (White 2016).
function slerp(p, q, t) {
  const omega = Math.acos(Math.min(1, Math.max(-1, dot(p, q) / (length(p) * length(q) || 1))));
  const [from, to] = Math.sin(omega) < 1e-4 ? [1 - t, t] : [Math.sin((1 - t) * omega), Math.sin(t * omega)].map((s) => s / Math.sin(omega));
  return p.map((v, i) => from * v + to * q[i]);
}

// a + amount (b - c), no longer than the longest of them. Without c: compared with the mean dog.
function likeness(a, b, c, amount) {
  const sum = a.map((v, i) => v + amount * (b[i] - (c ? c[i] : 0)));
  const most = Math.max(...[a, b, c ?? a].map(length)), is = length(sum);
  return is > most ? sum.map((v) => v * most / is) : sum;
}

// Each direction from one parent or the other.
const puppy = (p, q) => p.map((v, i) => (Math.random() < 0.5 ? v : q[i]));

// ---- The three slots
function showSlots() {
  for (const [name, slot] of Object.entries(slots)) {
    const box = find(`[data-slot=${name}]`);
    box.querySelector("img").hidden = !slot;
    if (slot) box.querySelector("img").src = slot.picture;
    box.querySelector("figcaption").textContent = slot?.label ?? (name === "c" ? "the mean dog" : "empty");
  }
  const ready = slots.a && slots.b;
  for (const control of element.querySelectorAll("#mix [data-ready]")) control.disabled = !ready;
}

function fill(name, slot) {
  remember();
  slots[name] = slot;
  find("#morph").value = find("#like").value = 0;
  noteFields();
  find("#puppies").replaceChildren();
  showSlots();
}

const seedDog = (seed) => ask(() => server.draw({ seed, temperature: 1, weights: facts.weights }));

async function fillFrom(name, source) {
  if (source === "this") {
    await settled();
    return fill(name, { c: [...dog.c], picture: find("#dog img").src, label: "this dog" });
  }
  if (source === "none") return fill(name, null);
  if (source === "photo") return find("#slot-photo").click();
  if (source.startsWith("kept ")) {
    const kept = favourites[Number(source.slice(5))];
    return fill(name, { c: kept.c, picture: kept.picture, label: "favourite" });
  }
  const typed = find("#slot-seed").value;
  if (source === "seed" && !isSeed(typed)) return say(NO_SEED, true);
  const seed = source === "seed" ? Number(typed) : Math.floor(Math.random() * 1e6);
  const answer = await seedDog(seed);
  if (answer) fill(name, { c: answer.c, picture: answer.picture, label: `seed ${seed}` });
}

let photoFor = "a";
onFile("#slot-photo", async (file) => {
  const name = photoFor;
  if (unfit(file)) return say(unfit(file), true);
  say("Looking at the photo …");
  const see = (whole) => server.reconstruct({ binary: true, data: { photo: file, wish: JSON.stringify({ whole }) } });
  const answer = await ask(async () => {
    const found = await see(false);
    return found?.photo && found.error ? see(true) : found; // no head: its middle, as there is no box to draw here
  });
  if (!answer) return;
  say("");
  fill(name, { c: answer.c, picture: answer.picture, label: answer.heads.length ? "your photo" : "the middle of your photo" });
});

for (const box of element.querySelectorAll("[data-slot]")) {
  const name = box.dataset.slot, choice = box.querySelector("select");
  const options = () => [
    ["", "Choose …"], ["this", "This dog"], ["random", "A random dog"], ["seed", "The seed below"], ["photo", "A photo …"],
    ...favourites.map((_, i) => [`kept ${i}`, `Favourite ${i + 1}`]), ...(name === "c" ? [["none", "The mean dog"]] : []),
  ];
  const offerAll = () => choice.replaceChildren(...options().map(([value, text]) => new Option(text, value)));
  choice.addEventListener("focus", offerAll);
  choice.addEventListener("pointerdown", offerAll);
  choice.addEventListener("change", async () => {
    const source = choice.value;
    if (source === "photo") photoFor = name;
    choice.value = "";
    await fillFrom(name, source);
  });
  offerAll();
}

// The first time, there is something to mix at once.
async function showMix() {
  if (slots.a || slots.b) return;
  await settled();
  slots.a = { c: [...dog.c], picture: find("#dog img").src, label: "this dog" };
  showSlots();
  const answer = await seedDog(2);
  if (answer && !slots.b) slots.b = { c: answer.c, picture: answer.picture, label: "seed 2" };
  showSlots();
}

// ---- Morph: moves the dog itself, so that every other ability goes on from there.
function morphTo(t) {
  moveTo(slerp(slots.a.c, slots.b.c, t));
}

const touchMorph = oneStep(find("#morph"));
find("#morph").addEventListener("input", () => { stop(); touchMorph(); morphTo(Number(find("#morph").value)); });

let playing = 0;
function stop() {
  cancelAnimationFrame(playing);
  playing = 0;
  find("#play").textContent = "Play";
}
function play() {
  if (playing) return stop();
  remember();
  find("#play").textContent = "Stop";
  let began = null;
  const show = (now) => {
    if (!slots.a || !slots.b || element.offsetParent === null) return stop();
    began ??= now - Number(find("#morph").value) * PASS_MS;
    const t = 1 - Math.abs(1 - ((now - began) / PASS_MS) % 2); // there and back
    find("#morph").value = t;
    if (!wanted) morphTo(t); // as fast as pictures come
    playing = requestAnimationFrame(show);
  };
  playing = requestAnimationFrame(show);
}
find("#play").addEventListener("click", play);

let filming = 0;
async function film(kind) {
  const name = `${PAGE} ${++filming}`, bar = find("#film");
  const watch = setInterval(async () => {
    const { share } = await server.progress(name).catch(() => ({ share: 0 }));
    if (!bar.hidden) bar.value = Math.max(bar.value, share);
  }, 250);
  bar.value = 0;
  bar.hidden = false;
  say(`Making the ${kind === "gif" ? "GIF" : "MP4"} …`);
  const dogs = [slots.a, slots.b].map((slot) => slot.c);
  const answer = await ask(() => server.movie({ name, kind, frames: FRAMES, dogs, weights: facts.weights }));
  clearInterval(watch);
  bar.hidden = true;
  if (!answer) return;
  save(answer.file, `dogs.${kind}`);
  say("The film is saved: there and back, ready to loop.");
}
find("#gif").addEventListener("click", () => film("gif"));
find("#mp4").addEventListener("click", () => film("mp4"));

// ---- Likeness and puppies
const touchLike = oneStep(find("#like"));
find("#like").addEventListener("input", () => {
  stop();
  touchLike();
  moveTo(likeness(slots.a.c, slots.b.c, slots.c?.c, Number(find("#like").value)));
});
find("#breed").addEventListener("click", () => {
  const dogs = Array.from({ length: 8 }, () => puppy(slots.a.c, slots.b.c));
  offer(find("#puppies"), dogs, "Puppy", (c) => { remember(); moveTo([...c]); });
});

find("#reset-mix").addEventListener("click", () => {
  reset();
  slots.a = slots.b = slots.c = null;
  find("#morph").value = find("#like").value = 0;
  noteFields();
  find("#puppies").replaceChildren();
  showSlots();
});

remembered.push({
  save: () => ({ ...slots }),
  load: (before) => {
    stop();
    Object.assign(slots, before);
    showSlots();
    if (openTab() === "mix") showMix(); // before it was first opened they were empty
  },
});
showSlots();
