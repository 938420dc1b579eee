// Keeping dogs: favourites in this browser, a link that brings the very dog back, files.

const MAX_FAVOURITES = 64, MAX_LATENT_BYTES = 100e3, FAVOURITES = "dogvae:favourites:";

// ---- Favourites: numbers mean dogs only to the model that made them, so each model has its own.
let favourites = []; // [{ c, picture }]

function readFavourites() {
  try {
    const kept = JSON.parse(localStorage.getItem(FAVOURITES + facts.weights) ?? "[]");
    const good = (item) => item?.c?.length === facts.names.length && item.c.every(Number.isFinite) && /^data:image/.test(item.picture);
    favourites = kept.filter(good).slice(0, MAX_FAVOURITES);
    return Object.keys(localStorage).filter((key) => key.startsWith(FAVOURITES) && key !== FAVOURITES + facts.weights)
      .reduce((sum, key) => sum + JSON.parse(localStorage.getItem(key)).length, 0);
  } catch {
    return 0; // storage is closed to this page, or holds what we did not write
  }
}

function writeFavourites(list) {
  favourites = list;
  try {
    localStorage.setItem(FAVOURITES + facts.weights, JSON.stringify(list));
  } catch {
    say("This browser lets the page keep nothing: the favourites last until the page is closed.", true);
  }
  showFavourites();
}

async function keepDog() {
  await settled();
  if (favourites.length >= MAX_FAVOURITES) return say(`There are ${MAX_FAVOURITES} favourites, and no room for more; remove one first.`, true);
  const c = [...dog.c], answer = await thumbnails([c]);
  if (!answer) return;
  remember();
  say("Kept, in this browser only.");
  writeFavourites([...favourites, { c, picture: answer.pictures[0] }]);
}

function goTo(c, sentence) {
  const move = { page: `${PAGE} go`, weights: facts.weights, space: "directions", values: c, still: true };
  return fetchDog(() => server.move({ ...move, number: latest }), () => sentence);
}

function showFavourites() {
  find("#favourites").replaceChildren(...favourites.map(({ c, picture }, i) => {
    const item = document.createElement("div");
    item.innerHTML = `<button type="button"><img src="${picture}" alt="Favourite ${i + 1}"></button>
      <button type="button" class="remove" aria-label="Remove favourite ${i + 1}">&#215;</button>`;
    item.firstChild.addEventListener("click", () => goTo(c, "One of your favourites."));
    item.lastChild.addEventListener("click", () => {
      remember();
      writeFavourites(favourites.filter((_, k) => k !== i));
      say("Removed; Undo brings it back.");
    });
    return item;
  }));
  find("#no-favourites").hidden = favourites.length > 0;
  find("#sheet").disabled = find("#reset-favourites").disabled = favourites.length === 0;
}

find("#keep").addEventListener("click", keepDog);
find("#reset-favourites").addEventListener("click", () => {
  remember();
  writeFavourites([]);
  say("All favourites are removed; Undo brings them back.");
});
find("#sheet").addEventListener("click", async () => {
  const answer = await ask(() => server.contact_sheet({ dogs: favourites.map(({ c }) => brief(c)), weights: facts.weights }));
  if (answer) save(answer.picture, "favourite dogs.png");
});
window.addEventListener("storage", (event) => { // another page of this browser has written
  if (event.key !== FAVOURITES + facts.weights) return;
  readFavourites();
  showFavourites();
  for (const state of [...past, ...future]) state.others[kept] = favourites; // what that page did is not undone here
});
const kept = -1 + remembered.push({ save: () => favourites, load: (list) => { if (list !== favourites) writeFavourites(list); } });

// ---- A link: #dog=WEIGHTS.sSEEDtTEMPERATURE, or .z and the coordinates as 16-bit numbers in base64.
const STEP = 1 / 2000; // up to 16 standard deviations, finer than anyone sees

function toLink() {
  if (dog.seed !== null && !changed()) return `#dog=${facts.weights}.s${dog.seed}t${dog.temperature}`;
  const whole = Int16Array.from(dog.c, (v) => Math.max(-32767, Math.min(32767, Math.round(v / STEP))));
  const text = btoa(String.fromCharCode(...new Uint8Array(whole.buffer)));
  return `#dog=${facts.weights}.z${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (b) => b.charCodeAt(0));
  } catch {
    return new Uint8Array(); // of a length that base64 never has
  }
}

function followLink() {
  if (!location.hash.startsWith("#dog=")) return;
  const parts = /^#dog=([0-9a-f]{12})\.(?:s(\d{1,16})t([\d.]{1,6})|z([\w-]+))$/.exec(location.hash);
  const bytes = parts?.[4] && fromBase64(parts[4]);
  if (!parts || (bytes && bytes.length !== 2 * facts.names.length)) {
    return say("The link is broken, perhaps cut off; please ask for it again. This is another dog.", true);
  }
  const [, weights, seed, temperature] = parts;
  if (weights !== facts.weights) return say("The link shows a dog of another model, whose numbers mean other dogs here.", true);
  if (bytes) return goTo(Array.from(new Int16Array(bytes.buffer), (v) => v * STEP), "The dog of the link.");
  find("#temperature").value = temperature;
  showTemperature();
  draw(Number(seed), Number(temperature), []);
}

find("#link").addEventListener("click", async () => {
  await settled();
  window.history.replaceState(null, "", toLink());
  const copied = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
  say(copied ? "The link to this dog is copied." : "The link to this dog is in the address bar.");
});
window.addEventListener("hashchange", followLink);

// ---- Files
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

find("#save-png").addEventListener("click", async () => {
  await settled();
  const picture = find("#dog img").src;
  save(picture, fileName(picture.startsWith("data:image/png") ? "png" : "jpg")); // the first dog's may not have come yet
});
find("#save-latent").addEventListener("click", saveLatent);
onFile("#load-latent input", loadLatent);
