// The sliders: principal directions or raw numbers, twelve at a time; those of a filter; locked ones.

const SLIDERS = 12;
const locked = new Set(); // directions whose value a random dog keeps
let page = 0;

const sliderName = (index) => (dog.space === "raw" ? `number ${index + 1}` : facts.names[index]);

function order() {
  const all = dog.space === "raw" ? facts.raw_order : facts.names.map((_, i) => i);
  const words = find("#filter").value.trim().toLowerCase().split(/\s+/);
  return all.filter((index) => words.every((word) => sliderName(index).toLowerCase().includes(word)));
}

function renderSliders() {
  const all = order(), raw = dog.space === "raw";
  page = Math.max(0, Math.min(page, Math.ceil(all.length / SLIDERS) - 1));
  const visible = all.slice(page * SLIDERS, (page + 1) * SLIDERS);
  find("#latents").replaceChildren(...visible.map(sliderRow));
  find("#page").textContent = all.length
    ? `${page * SLIDERS + 1}–${Math.min(all.length, (page + 1) * SLIDERS)} of ${all.length}` : "none";
  find("#previous").disabled = page === 0;
  find("#next").disabled = (page + 1) * SLIDERS >= all.length;
  find(".hint").textContent = !all.length ? "No slider has such a name. Empty the box to see all of them."
    : raw ? "The 256 numbers themselves, the ones that carry most first. Most of them do little alone."
    : "Directions in which real dogs vary most, in standard deviations from the mean dog, strongest effect first.";
}

function showSliders() {
  for (const row of find("#latents").children) row.show();
}

function sliderRow(index) {
  const raw = dog.space === "raw", name = sliderName(index), row = document.createElement("div");
  row.className = "slider";
  row.innerHTML = `<span class="name"></span><input type="range" min="-3" max="3" step="0.05"><output></output>
    <label class="lock" title="Random dogs keep this value"><input type="checkbox">${LOCK}</label>
    <button type="button" title="Back to where this dog began">&#8634;</button>`;
  row.querySelector(".name").textContent = name;
  if (!raw) row.querySelector(".name").append(small(`${facts.share[index].toFixed(1)} % effect`));
  const input = row.querySelector("input"), lock = row.querySelector(".lock"), back = row.querySelector("button");
  input.setAttribute("aria-label", name);
  row.show = () => {
    input.value = numbers()[index];
    row.querySelector("output").textContent = numbers()[index].toFixed(2);
  };
  const touch = oneStep(input);
  input.addEventListener("input", () => {
    if (dog.space === "map") return row.show(); // its numbers are not known yet: the answer is on the way
    touch();
    numbers()[index] = Number(input.value);
    row.show();
    moved();
    showSteps();
  });
  input.addEventListener("keydown", (event) => { // the mean dog's value, rather than the end of the track
    if (event.key !== "Home") return;
    event.preventDefault();
    input.value = 0;
    input.dispatchEvent(new Event("input"));
  });
  back.setAttribute("aria-label", `Reset ${name}`);
  back.addEventListener("click", () => {
    if (numbers()[index] === numbers(dog.base)[index]) return;
    remember();
    numbers()[index] = numbers(dog.base)[index];
    row.show();
    if (changed()) moved();
    else restore(dog.base);
    showSteps();
  });
  lock.hidden = raw;
  const box = lock.firstChild;
  box.setAttribute("aria-label", `Lock ${name}`);
  box.checked = locked.has(index);
  box.addEventListener("change", () => {
    remember();
    box.checked ? locked.add(index) : locked.delete(index);
  });
  row.show();
  return row;
}

const LOCK = `<svg viewBox="0 0 16 16" aria-hidden="true"><path class="shackle" d="M5 7V5a3 3 0 0 1 6 0v2"/>
  <rect x="3" y="7" width="10" height="7" rx="1.5"/></svg>`;

function small(text) {
  const node = document.createElement("small");
  node.textContent = text;
  return node;
}

function setSpace(space) {
  if ((dog.space === "raw") !== (space === "raw")) page = 0;
  dog.space = space;
  find("#directions").setAttribute("aria-pressed", space !== "raw");
  find("#raw").setAttribute("aria-pressed", space === "raw");
}

async function chooseSpace(space) {
  await settled(); // so that both kinds of numbers are those of the picture
  setSpace(space);
  renderSliders();
  showSteps();
}

remembered.push({
  save: () => [...locked],
  load: (indexes) => { locked.clear(); for (const index of indexes) locked.add(index); },
});
element.addEventListener("settled", showSliders); // where what moved was not known until now
find("#filter").addEventListener("input", () => { page = 0; renderSliders(); });
find("#directions").addEventListener("click", () => chooseSpace("directions"));
find("#raw").addEventListener("click", () => chooseSpace("raw"));
find("#previous").addEventListener("click", () => { page--; renderSliders(); }); // at either end they are disabled
find("#next").addEventListener("click", () => { page++; renderSliders(); });
