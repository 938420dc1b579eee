// The tabs, what stands left of them, and the first dog.

// ---- Tabs: what an ability needs is fetched when its tab is opened, and again when the dog has changed.
const OPENED = { similar: () => similarShown() || showSimilar(), "plane-panel": showGrid, "map-panel": showMap, mix: showMix };
const tabs = [...element.querySelectorAll("[role=tab]")];
const openTab = () => tabs.find((tab) => tab.ariaSelected === "true").dataset.panel;

function open(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", other === tab);
    other.tabIndex = other === tab ? 0 : -1;
    find(`#${other.dataset.panel}`).hidden = other !== tab;
  }
  stop();
  OPENED[tab.dataset.panel]?.();
}

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs.at(to % tabs.length);
    next.focus();
    open(next);
  });
});

let calm;
element.addEventListener("settled", () => { // the panel that is open follows, once the dog has come to rest
  clearTimeout(calm);
  calm = setTimeout(() => ["similar", "plane-panel"].includes(openTab()) && element.offsetParent && OPENED[openTab()](), 300);
});

// ---- Random dogs, photos, steps
find("#random").addEventListener("click", () => draw(Math.floor(Math.random() * 1e6)));
find("#seed").addEventListener("change", (event) => {
  if (!isSeed(event.target.value)) return say(NO_SEED, true);
  draw(Number(event.target.value));
});
find("#temperature").addEventListener("input", showTemperature);
find("#temperature").addEventListener("change", () => {
  if (dog.seed !== null) draw(dog.seed);
  else {
    noteFields();
    say("The temperature counts for the next random dog.");
  }
});
onFile("#upload input", (file) => seePhoto(file));
find("#undo").addEventListener("click", undo);
find("#redo").addEventListener("click", redo);
find("#reset").addEventListener("click", reset);

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
place({ ...facts.first, picture: find("#dog img").src });
dog.seed = facts.first.seed;
find("#seed").value = facts.first.seed;
showTemperature();
noteFields();
say(`Seed ${facts.first.seed}: move a slider, and watch.`);
const first = dog.base;
server.draw({ seed: dog.seed, temperature: 1, weights: facts.weights }).then((answer) => { // lossless, for when it rests
  if (!answer.picture) return;
  first.picture = answer.picture;
  if (dog.base === first && dog.settled && !changed()) find("#dog img").src = first.picture;
}, () => {});
const foreign = readFavourites();
showFavourites();
if (foreign) say(`${foreign} of your favourites are dogs of another model; they are kept, and come back with it.`);
followLink();
