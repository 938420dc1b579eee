// The visitor's photo: chosen, dropped, pasted or taken; the head in it, found or boxed by hand; what came of it.
// Of pad.js it uses find, say, fetchDog and latest; pad.js calls seePhoto and showReconstruction. The server keeps
// nothing, so the photo is sent again for another box or turn.

let photo = null; // { file, caption, turns, ratio, heads, photo, box }: what is shown, as the server answered
let box = null; // { x, y, side } of the head, in widths of the photo

// What is wrong with a file that need not be sent to know it; "" if nothing is.
const unfit = (file) => file.size > 25e6 ? "The file is larger than 25 MB; please choose a smaller photo."
  : file.size === 0 ? "The file is empty; please choose another photo." : "";

// ---- To the server and back. A caption says that this is no photo of a visitor, but a head that fills its frame.
function seePhoto(file, caption) {
  if (unfit(file)) return say(unfit(file), true);
  closeWebcam();
  return look({ file, caption, turns: 0 }, { whole: Boolean(caption) });
}

function look(of, { box = null, whole = false } = {}) {
  return fetchDog(async () => {
    const mine = latest; // fetchDog has just counted it up
    const wish = JSON.stringify({ turns: of.turns, box, whole });
    const answer = await server.reconstruct({ binary: true, data: { photo: of.file, wish } });
    if (!answer?.photo) return answer;
    const known = { ...answer, file: of.file, caption: of.caption };
    if (box) known.heads = of.heads ?? []; // were not looked for again
    if (answer.error && mine === latest) {
      showReconstruction(null);
      showPhoto(known);
      find("#photo").scrollIntoView({ block: "nearest" }); // the sentence asks for something to be done there
    }
    return known;
  }, (answer) => {
    window.dogvaePhoto = answer.crop; // for the page "How it works", which may not be there yet
    window.dispatchEvent(new CustomEvent("dogvae:photo", { detail: answer.crop }));
    const heads = answer.heads.length, edits = `${answer.hint ? `${answer.hint} ` : ""}The sliders now edit`;
    if (whole && !of.caption) return `${edits} what came of it.`;
    return heads > 1 ? `${heads} heads found: choose one. ${edits} this dog.` : `${edits} this dog.`;
  }, "Looking at the photo …", of.caption);
}

// ---- What came of it; null, or without a crop: the dog on the stage is not from a photo
function showReconstruction(answer) {
  const shown = find("#reconstruction");
  shown.hidden = !answer?.crop;
  showPhoto(answer?.file && !answer.caption ? answer : null);
  if (shown.hidden) return;
  shown.querySelector("[data-part=crop]").src = shown.querySelector("[data-part=before]").src = answer.crop;
  shown.querySelector("[data-part=picture]").src = answer.picture;
  shown.querySelector("figcaption").textContent = answer.caption ?? "your photo, cropped";
  shown.querySelector("p").textContent = `PSNR ${answer.psnr.toFixed(1)} dB. ${howUsual(answer.percentile)} Your photo is not kept.`;
}

function howUsual(percentile) {
  const share = Math.min(99, Math.max(1, Math.round(percentile)));
  if (share <= 50) return `An ordinary dog, as the model sees it: of those it learned from, ${100 - share} % lie further from the average dog.`;
  const words = `further from the average dog than ${share} % of those it learned from`;
  return share < 95 ? `It lies ${words}.` : `The model has hardly seen the like: it lies ${words}.`;
}

// ---- The photo with its heads
function showPhoto(answer) {
  photo = answer;
  find("#photo").hidden = !answer;
  if (!answer) return;
  find("#photo img").src = answer.photo;
  find("#photo").classList.toggle("unsure", !answer.box);
  find("#use-box").hidden = find("#anyway").hidden = Boolean(answer.box);
  const side = 0.5 * Math.min(1, 1 / answer.ratio), middle = [0.5 - side / 2, 0.5 / answer.ratio - side / 2];
  placeBox(fromShares(answer.box ?? answer.guess?.box) ?? { x: middle[0], y: middle[1], side });
  const others = answer.heads.filter((head) => !sameBox(head.box, answer.box));
  find("#photo .heads").replaceChildren(...others.map((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${answer.heads.indexOf(head) + 1}`;
    button.setAttribute("aria-label", `Head ${button.textContent} of ${answer.heads.length}: take this one`);
    place4(button, fromShares(head.box));
    button.addEventListener("pointerdown", (event) => event.stopPropagation());
    button.addEventListener("click", () => look(photo, { box: head.box }));
    return button;
  }));
}

const sameBox = (a, b) => Boolean(a && b) && a.every((v, i) => Math.abs(v - b[i]) < 1e-3);
const fromShares = (b) => b && { x: b[0], y: b[1] / photo.ratio, side: b[2] - b[0] };
const toShares = ({ x, y, side }) => [x, y * photo.ratio, x + side, (y + side) * photo.ratio];

function place4(node, { x, y, side }) {
  Object.assign(node.style, {
    left: `${100 * x}%`, top: `${100 * y * photo.ratio}%`, width: `${100 * side}%`, height: `${100 * side * photo.ratio}%`,
  });
}

// The middle of the box stays in the photo.
function placeBox({ x, y, side }) {
  const high = 1 / photo.ratio, within = (v, most) => Math.min(Math.max(v, -side / 2), most - side / 2);
  side = Math.min(Math.max(side, 0.03), Math.max(1, high));
  box = { x: within(x, 1), y: within(y, high), side };
  place4(find("#box"), box);
}

const takeBox = () => photo && look(photo, { box: toShares(box) });

// ---- Moved, resized and drawn by hand. On the photo a finger scrolls the page; a mouse draws a new box.
const frame = find("#photo .frame");
let drag = null;

function pointAt(event) {
  const area = frame.getBoundingClientRect();
  return { x: (event.clientX - area.left) / area.width, y: (event.clientY - area.top) / area.width };
}

frame.addEventListener("pointerdown", (event) => {
  const corner = event.target.dataset.corner, onBox = Boolean(event.target.closest("#box"));
  if (event.button !== 0 || (!onBox && event.pointerType !== "mouse")) return;
  event.preventDefault();
  find("#box").focus({ preventScroll: true });
  const at = pointAt(event);
  // A corner is dragged against the one across from it; a new box grows from where it began.
  const still = corner && { x: box.x + (corner.includes("w") ? box.side : 0), y: box.y + (corner.includes("n") ? box.side : 0) };
  drag = { at, before: box, anchor: corner ? still : onBox ? null : at, moved: false };
  frame.setPointerCapture(event.pointerId);
});

frame.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const at = pointAt(event), right = at.x - drag.at.x, down = at.y - drag.at.y;
  if (!drag.moved && Math.hypot(right, down) < 0.01) return;
  drag.moved = true;
  if (!drag.anchor) return placeBox({ ...drag.before, x: drag.before.x + right, y: drag.before.y + down });
  const { x, y } = drag.anchor, side = Math.max(Math.abs(at.x - x), Math.abs(at.y - y), 0.03);
  placeBox({ x: at.x < x ? x - side : x, y: at.y < y ? y - side : y, side });
});

frame.addEventListener("pointerup", () => {
  const moved = drag?.moved;
  drag = null;
  if (moved) takeBox();
});
frame.addEventListener("pointercancel", () => {
  if (drag) placeBox(drag.before);
  drag = null;
});
// A tap beside the box brings it there.
frame.addEventListener("click", (event) => {
  if (event.pointerType === "mouse" || event.target.closest("#box, button")) return;
  const at = pointAt(event);
  placeBox({ x: at.x - box.side / 2, y: at.y - box.side / 2, side: box.side });
  takeBox();
});

const KEY_STEP = 0.02, KEYS_WAIT_MS = 500;
let keysRest;
find("#box").addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0], "+": [-0.5, -0.5, 1], "-": [0.5, 0.5, -1] }[event.key];
  if (!move) return;
  event.preventDefault();
  placeBox({ x: box.x + KEY_STEP * move[0], y: box.y + KEY_STEP * move[1], side: box.side + KEY_STEP * move[2] });
  clearTimeout(keysRest);
  keysRest = setTimeout(takeBox, KEYS_WAIT_MS);
});

const turn = (quarters) => look({ ...photo, turns: (photo.turns + quarters) % 4 });
find("#turn-left").addEventListener("click", () => turn(3));
find("#turn-right").addEventListener("click", () => turn(1));
find("#use-box").addEventListener("click", takeBox);
find("#anyway").addEventListener("click", () => look(photo, { whole: true }));
find("#wipe").addEventListener("input", (event) => find(".wipe").style.setProperty("--wiped", `${event.target.value}%`));

// ---- Dropped and pasted
const isShown = () => element.isConnected && element.offsetParent !== null;
const dropped = (event) => event.dataTransfer?.types?.includes("Files") && isShown();
document.addEventListener("dragover", (event) => {
  if (!dropped(event)) return;
  event.preventDefault();
  find(".pad").classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find(".pad").classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  if (!dropped(event)) return;
  event.preventDefault();
  find(".pad").classList.remove("dropping");
  if (event.dataTransfer.files[0]) seePhoto(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (!file || !isShown()) return;
  event.preventDefault();
  seePhoto(file);
});

// ---- Taken with the camera
const video = find("#webcam video");

function closeWebcam() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  find("#webcam").hidden = true;
}

let opening = false; // the browser is asking the visitor
find("#camera").addEventListener("click", async () => {
  if (opening) return;
  if (video.srcObject) return closeWebcam();
  opening = true;
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
    find("#webcam").hidden = false;
  } catch {
    say("The browser gives this page no camera; please upload a photo instead.", true);
  } finally {
    opening = false;
  }
});
find("#close-webcam").addEventListener("click", closeWebcam);
find("#snap").addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  if (!canvas.width) return say("The camera shows nothing yet; please wait a moment.", true);
  canvas.getContext("2d").drawImage(video, 0, 0);
  closeWebcam();
  canvas.toBlob((blob) => seePhoto(new File([blob], "camera.jpg", { type: "image/jpeg" })), "image/jpeg", 0.92);
});
