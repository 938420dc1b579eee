// Ways to look around: similar dogs, a plane of two directions, a map of all dogs.

// The answer to a call, or null where there is none, with the reason said.
async function ask(call) {
  const answer = ours(await call().catch(() => ({ error: OUT_OF_REACH })));
  if (answer?.error) say(answer.error, true);
  return !answer || answer.error || answer.dropped ? null : answer;
}

const brief = (c) => c.map((v) => Math.round(v * 1e3) / 1e3); // shorter to send, the same picture
const thumbnails = (dogs) => ask(() => server.thumbnails({ dogs: dogs.map(brief), weights: facts.weights }));

// Small pictures of dogs to choose from; whether they came.
async function offer(box, dogs, label, choose) {
  box.setAttribute("aria-busy", "true");
  const answer = await thumbnails(dogs);
  box.removeAttribute("aria-busy");
  if (!answer) return false;
  box.replaceChildren(...answer.pictures.map((picture, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.innerHTML = `<img src="${picture}" alt="${label} ${i + 1}">`;
    button.addEventListener("click", () => choose(dogs[i], picture));
    return button;
  }));
  return true;
}

// ---- Similar dogs. For a typical dog these are typical dogs too: the spread stays 1 in each direction.
const gaussian = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const near = (c, far) => c.map((v, i) => (locked.has(i) ? v : Math.sqrt(1 - far * far) * v + far * gaussian()));
const FAR = 0.4;
let similarTo = ""; // the numbers of the dog round which those that are shown lie
const similarShown = () => similarTo === dog.c.join();

async function showSimilar() {
  await settled();
  const far = Number(find("#far").value), about = dog.c.join();
  const came = await offer(find("#near"), Array.from({ length: 8 }, () => near(dog.c, far)), "Similar dog", (c) => {
    remember();
    moveTo([...c]);
  });
  if (came) similarTo = about;
}

find("#far").addEventListener("change", showSimilar);
find("#others").addEventListener("click", showSimilar);
find("#reset-similar").addEventListener("click", () => { find("#far").value = FAR; reset(); });

const clip = (v) => Math.min(1, Math.max(0, v));

// ---- A point that is dragged over a square: change(x, y), each 0..1 from the top left, at every move.
function square(box, step, now, change) {
  const touch = oneStep(box);
  const go = (x, y) => { touch(); change(clip(x), clip(y)); };
  const follow = (event) => {
    const { left, top, width, height } = box.getBoundingClientRect();
    go((event.clientX - left) / width, (event.clientY - top) / height);
  };
  box.addEventListener("pointerdown", (event) => {
    box.setPointerCapture(event.pointerId);
    follow(event);
  });
  box.addEventListener("pointermove", (event) => { if (box.hasPointerCapture(event.pointerId)) follow(event); });
  box.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (!dx && !dy && event.key !== "Home") return;
    event.preventDefault();
    const [x, y] = now() ?? [0.5, 0.5];
    event.key === "Home" ? go(0.5, 0.5) : go(x + dx * step, y + dy * step);
  });
}

function putPoint(box, place, text) {
  const point = box.querySelector(".point");
  point.hidden = !place;
  if (!place) return box.setAttribute("aria-valuetext", "nowhere");
  point.style.left = `${100 * place[0]}%`;
  point.style.top = `${100 * place[1]}%`;
  box.setAttribute("aria-valuenow", Math.round(100 * place[0]));
  box.setAttribute("aria-valuetext", text);
}

// ---- The plane: two directions from -3 to 3, up is more, and a faint grid of what lies there.
const REACH = 3, GRID = 5;
const axes = () => [Number(find("#across").value), Number(find("#up").value)];
let gridOf = "";

function planePlace() {
  const [x, y] = axes();
  return [clip((dog.c[x] / REACH + 1) / 2), clip((1 - dog.c[y] / REACH) / 2)];
}

function showPlane() {
  const [x, y] = axes();
  putPoint(find("#plane"), planePlace(), `${facts.names[x]} ${dog.c[x].toFixed(1)}, ${facts.names[y]} ${dog.c[y].toFixed(1)}`);
}

async function showGrid() {
  await settled();
  showPlane();
  const [x, y] = axes();
  const key = JSON.stringify([x, y, dog.c.filter((_, i) => i !== x && i !== y)]);
  if (key === gridOf) return;
  const at = (k) => (2 * (k + 0.5) / GRID - 1) * REACH;
  const dogs = Array.from({ length: GRID * GRID }, (_, k) => {
    const c = [...dog.c];
    c[y] = -at(Math.floor(k / GRID));
    c[x] = at(k % GRID);
    return c;
  });
  const answer = await thumbnails(dogs);
  if (!answer) return;
  gridOf = key;
  find("#plane .grid").replaceChildren(...answer.pictures.map((src) => Object.assign(new Image(), { src, alt: "" })));
}

square(find("#plane"), 0.25 / (2 * REACH), planePlace, (px, py) => {
  if (dog.space === "map") return; // its numbers are on the way
  const [x, y] = axes(), c = [...dog.c];
  c[y] = (1 - 2 * py) * REACH;
  c[x] = (2 * px - 1) * REACH;
  moveTo(c);
  showPlane();
});
for (const [axis, start] of [["#across", 0], ["#up", 1]]) {
  find(axis).append(...facts.names.map((name, i) => new Option(name, i, i === start, i === start)));
  find(axis).addEventListener("change", showGrid);
}
find("#reset-plane").addEventListener("click", () => {
  find("#across").value = 0;
  find("#up").value = 1;
  reset();
});

// ---- The map: dogs of the prior, those that look alike side by side. Between them the server mixes.
function showPlace() {
  const [x, y] = dog.place ?? [];
  putPoint(find("#map"), dog.place, `${Math.round(100 * x)} % across, ${Math.round(100 * y)} % down`);
}

async function showMap() {
  showPlace();
  if (find("#map img").src) return;
  find("#map").setAttribute("aria-busy", "true");
  const answer = await ask(() => server.atlas({ weights: facts.weights }));
  find("#map").removeAttribute("aria-busy");
  if (answer) find("#map img").src = answer.picture;
}

square(find("#map"), 1 / 24, () => dog.place, (x, y) => {
  dog.place = [x, y];
  setSpace("map");
  moved();
  showSteps();
  showPlace();
});
element.addEventListener("settled", showPlace); // another dog does not lie there
find("#reset-map").addEventListener("click", reset);
