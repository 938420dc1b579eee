// Fills the page "How it works" with what the models compute just now.

const find = (selector) => element.querySelector(selector);
const say = (text) => { find("#lesson-message").textContent = text; };
const TROUBLE = "The server does not answer just now; the page tries again.", RETRY_MS = 2000;

// The answer to a call that is made again until the server gives one.
async function ask(call) {
  for (;;) {
    try {
      const answer = await call();
      if (!answer) throw new Error("an upload that never arrived");
      say(answer.error ?? "");
      if (!answer.busy) return answer.error ? null : answer;
    } catch {
      say(TROUBLE);
    }
    await new Promise((wait) => setTimeout(wait, RETRY_MS));
  }
}

let asked = 0; // of two photos, the later one is shown

async function showReconstructions(crop) {
  const mine = ++asked, photo = crop ? await (await fetch(crop)).blob() : null;
  const answer = await ask(() => server.reconstructions(photo ? { binary: true, data: { photo } } : null));
  if (!answer || mine !== asked) return;
  find(".whose").textContent = photo ? "the picture that you chose" : "an example dog that DogVAE drew";
  for (const image of element.querySelectorAll("[data-part=crop]")) image.src = answer.autoencoder.crop;
  find("#squeeze [data-part=picture]").src = answer.autoencoder.picture;
  paintNumbers(find("#squeeze canvas"), answer.autoencoder.z);
  for (const [name, seen] of Object.entries(answer)) {
    const image = find(`[data-model=${name}]`);
    image.src = seen.picture;
    image.parentElement.querySelector("b").textContent = `${seen.psnr.toFixed(1)} dB`;
    drawCurve(find(`[data-curve=${name}] svg`), seen.z);
  }
}

async function showSamples(seed) {
  const answer = await ask(() => server.samples(seed));
  for (const part of element.querySelectorAll(".before")) part.hidden = !answer?.["dogvae before"];
  for (const [row, pictures] of Object.entries(answer ?? {})) {
    find(`[data-row="${row}"]`).replaceChildren(...pictures.map((src) => {
      const image = new Image();
      image.src = src;
      image.alt = `A random dog: ${row} prior`;
      return image;
    }));
  }
}

// Each number a square: blue below zero, orange above, the largest in full colour.
function paintNumbers(canvas, z) {
  const context = canvas.getContext("2d"), most = Math.max(...z.map(Math.abs));
  z.forEach((v, i) => {
    const [r, g, b] = v < 0 ? [30, 90, 200] : [220, 100, 20], strength = Math.abs(v) / most;
    context.fillStyle = `rgb(${[r, g, b].map((full) => 255 + (full - 255) * strength).join(",")})`;
    context.fillRect(i % 16, Math.floor(i / 16), 1, 1);
  });
}

// A histogram of the numbers from -4 to 4, what lies beyond in the outermost bars, and N(0, 1) over it.
function drawCurve(svg, z) {
  const BINS = 16, WIDTH = 160, HEIGHT = 90, counts = new Array(BINS).fill(0);
  for (const v of z) counts[Math.min(BINS - 1, Math.max(0, Math.floor((v + 4) * 2)))]++;
  const bell = (x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) * z.length * 0.5; // a bar is 0.5 wide
  const tallest = Math.max(...counts, bell(0)), y = (n) => HEIGHT - (n / tallest) * (HEIGHT - 4);
  const bars = counts.map((n, i) => `<rect x="${i * 10 + 1}" y="${y(n)}" width="8" height="${HEIGHT - y(n)}"/>`);
  const points = Array.from({ length: 81 }, (_, i) => `${i * 2},${y(bell(i / 10 - 4))}`);
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "How large the 256 numbers are, against the bell curve from -4 to 4");
  svg.innerHTML = `${bars.join("")}<path d="M${points.join("L")}"/>`;
}

find("#again").addEventListener("click", () => showSamples(Math.floor(Math.random() * 1e6)));
window.addEventListener("dogvae:photo", (event) => {
  showReconstructions(event.detail);
});
showReconstructions(window.dogvaePhoto);
showSamples(0);
