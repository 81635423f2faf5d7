// A picture to start from, and which part of it shall change: dropped, chosen or pasted; painted with a pointer or by keys.

import { complain, element } from "./dom.js";
import { pngOf } from "./png.js";
import { say } from "./words.js";

const NO_HASH = "0".repeat(64);
const PAINT = "#d0459a"; // seen on dark and on light pictures
const STRENGTH = 0.8;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const [ground, veil, brush] = ["ground", "veil", "brush"].map(element);
let bitmap = null;
let painted = false;
let painting = null; // the last point, while a pointer is down
let at = [0.5, 0.5]; // where the brush of the keys is, as parts of the sides
let sidesOf = () => [512, 512];

// `sides` tells which width and height the task will have.
export function listen(sides) {
  sidesOf = sides;
  element("file").addEventListener("change", () => take(element("file").files[0]));
  element("without").addEventListener("click", () => take(null));
  element("clear").addEventListener("click", clear);
  element("strength").addEventListener("input", tellStrength);
  element("mask").addEventListener("click", () => mask(element("mask").getAttribute("aria-pressed") !== "true"));
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files].find(isPicture);
    if (!file || element("source").hidden) return;
    event.preventDefault();
    take(file);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) document.addEventListener(kind, dragged);
  veil.addEventListener("pointerdown", pressed);
  veil.addEventListener("pointermove", moved);
  for (const kind of ["pointerup", "pointercancel"]) veil.addEventListener(kind, () => { painting = null; });
  veil.addEventListener("keydown", keyed);
}

const isPicture = (file) => file.type.startsWith("image/");

function dragged(event) {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault(); // a drop beside the mark must not make the browser leave the page
  element("source").classList.toggle("over", event.type === "dragover");
  if (event.type === "drop" && !element("source").hidden) take(event.dataTransfer.files[0]);
}

// Takes a picture file or Blob as the source; null for none.
export async function take(file) {
  complain("");
  element("file").value = "";
  try {
    bitmap = file ? await createImageBitmap(file) : null;
  } catch {
    complain(say("errPicture"));
    return;
  }
  element("strength").value = STRENGTH;
  tellStrength();
  element("chosen").hidden = !bitmap;
  mask(false);
  fit();
}

// Which of it the miners of a model can do; none said: it is tried.
export function offer(modes = []) {
  const can = (mode) => !modes.length || modes.includes(mode);
  element("source").hidden = !can("image-to-image");
  element("mask").hidden = !can("inpainting");
  if (element("source").hidden && bitmap) take(null);
  else fit();
}

// The middle of the picture, as large as the task: what is seen is what is sent.
export function fit() {
  if (!bitmap) return;
  const [width, height] = sidesOf();
  if (veil.width !== width || veil.height !== height) {
    [veil.width, veil.height] = [width, height];
    painted = false;
  }
  [ground.width, ground.height] = [width, height];
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const [wide, high] = [bitmap.width * scale, bitmap.height * scale];
  const pen = ground.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "white";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(bitmap, (width - wide) / 2, (height - high) / 2, wide, high);
}

export function tellStrength() {
  element("strength-said").textContent = `${Math.round(element("strength").value * 100)} %`;
}

// The mask.

function mask(on) {
  element("mask").setAttribute("aria-pressed", on);
  element("painting").hidden = element("clear").hidden = brush.hidden = !on;
  veil.tabIndex = on ? 0 : -1;
  if (on) follow();
  else clear();
}

function clear() {
  veil.getContext("2d").clearRect(0, 0, veil.width, veil.height);
  painted = false;
}

const isOn = () => element("mask").getAttribute("aria-pressed") === "true";
const thickness = () => element("size").value * Math.min(veil.width, veil.height);

function stroke(from, to) {
  const pen = veil.getContext("2d");
  pen.strokeStyle = PAINT;
  pen.lineCap = "round";
  pen.lineWidth = thickness();
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(to[0] + 0.01, to[1]); // of no length at all, it would not be drawn
  pen.stroke();
  painted = true;
}

function pointOf(event) {
  const box = veil.getBoundingClientRect();
  at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  follow();
  return pixel();
}

const pixel = () => [at[0] * veil.width, at[1] * veil.height];

function pressed(event) {
  if (!isOn()) return;
  veil.setPointerCapture(event.pointerId);
  painting = pointOf(event);
  stroke(painting, painting);
}

function moved(event) {
  if (!isOn()) return;
  const point = pointOf(event);
  if (painting) stroke(painting, point);
  if (painting) painting = point;
}

function keyed(event) {
  if (!isOn() || !(event.key in KEYS || event.key === " ")) return;
  event.preventDefault();
  const before = pixel();
  at = at.map((part, side) => Math.min(1, Math.max(0, part + (KEYS[event.key]?.[side] ?? 0) * 0.05)));
  follow();
  if (event.key === " " || event.shiftKey) stroke(before, pixel());
}

// The ring shows where the brush is, and how large.
function follow() {
  const [width, height] = [thickness() / veil.width, thickness() / veil.height];
  brush.style.width = `${width * 100}%`;
  brush.style.height = `${height * 100}%`;
  brush.style.left = `${(at[0] - width / 2) * 100}%`;
  brush.style.top = `${(at[1] - height / 2) * 100}%`;
}
element("size").addEventListener("input", follow);

// What goes into a request, and what of it has to come back in what is signed.
export async function wanted() {
  if (!bitmap) return { fields: {}, asked: { mode: "text-to-image", source_hash: NO_HASH, mask_hash: NO_HASH, strength_millionths: 0 } };
  const strength = Number(element("strength").value);
  const source = await sent(ground.getContext("2d").getImageData(0, 0, ground.width, ground.height));
  const veiled = painted ? await sent(blackAndWhite()) : null;
  const sides = { width_px: ground.width, height_px: ground.height };
  return {
    fields: { ...sides, source: source.text, strength, ...(veiled && { mask: veiled.text }) },
    asked: {
      ...sides, mode: veiled ? "inpainting" : "image-to-image", source_hash: source.hash, mask_hash: veiled?.hash ?? NO_HASH,
      strength_millionths: Math.round(strength * 1e6),
    },
  };
}

function blackAndWhite() {
  const image = veil.getContext("2d").getImageData(0, 0, veil.width, veil.height);
  for (let at = 0; at < image.data.length; at += 4) image.data.fill(image.data[at + 3] < 128 ? 0 : 255, at, at + 3);
  return image;
}

// The hash is of the very bytes that leave, whatever this browser's canvas makes of the picture.
async function sent(image) {
  const [file, { pixelHash }] = await Promise.all([pngOf(image), import("./receipt.js")]);
  const hash = await pixelHash(new Uint8Array(await file.arrayBuffer()));
  const text = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
  return { text, hash };
}
