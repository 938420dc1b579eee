// Lets the visitor give a photo: choose, drop or paste a file, use the camera, or take an example instead.

import { build, isShown, onClick, onFile, part, say } from "./page.js";
import { unreachableMessage } from "./server.js";
import { state } from "./store.js";
import { fetchScripts } from "./tabs.js";

/** @param {File} file @param {string} [caption] as in seePhoto (photo.js) */
async function take(file, caption) {
  closeCamera();
  if (await fetchScripts("photo-panel")) (await import("./photo.js")).seePhoto(file, caption);
}

/** @param {string} url @param {number} index */
function exampleButton(url, index) {
  const example = build(`<button type="button">
    <img src="${url}" alt="Example dog ${index + 1}, drawn by the model" width="56" height="56"></button>`);
  example.addEventListener("click", async () => {
    const blob = await fetch(url).then((answer) => answer.blob()).catch(() => null);
    if (!blob) return say(unreachableMessage(), true);
    await take(new File([blob], `example-${index + 1}.png`, { type: blob.type }), "example, drawn by DogVAE");
  });
  return example;
}

// ---- Dropping and pasting
/** @param {DragEvent} event */
const bringsFiles = (event) => Boolean(event.dataTransfer?.types?.includes("Files")) && isShown();

/** @param {boolean} over */
const showDropping = (over) => part(".pad").classList.toggle("dropping", over);

function startDropping() {
  document.addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    showDropping(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) showDropping(false);
  });
  document.addEventListener("drop", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    showDropping(false);
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (!file || !isShown()) return;
    event.preventDefault();
    take(file);
  });
}

// ---- The camera
let opening = false; // whether the browser is asking for permission
let wanted = false; // whether the camera is still wanted then

const video = () => /** @type {HTMLVideoElement} */ (part("#webcam video"));
const stream = () => /** @type {MediaStream | null} */ (video().srcObject);

/** Whether the camera's panel is in sight: its tab is open, and the pad is not hidden. */
const isOpen = () => state.tab === "photo-panel" && isShown();

/** @param {MediaStream | null} shown */
const release = (shown) => shown?.getTracks().forEach((track) => track.stop());

function closeCamera() {
  wanted = false;
  release(stream());
  video().srcObject = null;
  part("#webcam").hidden = true;
}

async function toggleCamera() {
  if (stream()) return closeCamera();
  wanted = true;
  if (opening) return;
  opening = true;
  try {
    const wish = { video: { facingMode: "environment", width: { ideal: 1280 } } };
    const given = await navigator.mediaDevices.getUserMedia(wish);
    if (!wanted || !isOpen()) return release(given); // a photo came or the tab was left meanwhile
    video().srcObject = given;
    part("#webcam").hidden = false;
  } catch {
    say("The browser gives this page no camera; please upload a photo instead.", true);
  } finally {
    opening = false;
  }
}

function takePhoto() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video().videoWidth, video().videoHeight];
  if (!canvas.width) return say("The camera shows nothing yet; please wait a moment.", true);
  canvas.getContext("2d")?.drawImage(video(), 0, 0);
  closeCamera();
  canvas.toBlob((blob) => { if (blob) take(new File([blob], "camera.jpg", { type: "image/jpeg" })); }, "image/jpeg", 0.92);
}

export function start() {
  onFile("#upload input", (file) => take(file));
  part(".examples").append(...state.facts.examples.map(exampleButton));
  startDropping();
  onClick("#camera", toggleCamera);
  onClick("#close-webcam", closeCamera);
  onClick("#snap", takePhoto);
  // Its size changes when it is hidden in any way, even by Gradio, which tells nobody that it hides the pad.
  new ResizeObserver(() => { if (!isOpen()) closeCamera(); }).observe(part("#webcam"));
}
