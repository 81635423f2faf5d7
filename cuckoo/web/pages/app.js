// The playground: asks for pictures, and tells how they come about.

import { Refused, bytes, cancel, events, picture, read, submit } from "./api.js";
import { draw as drawNetwork, follow, nameOf } from "./network.js";
import { say, speak } from "./words.js";

const KEPT = 60;
const AGAIN_MS = 1_500;
const SMALL_PX = 160;
const element = (id) => document.getElementById(id);

let models = [];
let current = null; // {task, prompt, stop}

// Settings that stay in this browser.

function settle() {
  const language = localStorage.getItem("language") ?? (navigator.language.startsWith("ko") ? "ko" : "en");
  element("language").value = language;
  element("theme").value = localStorage.getItem("theme") ?? "auto";
  element("key").value = sessionStorage.getItem("key") ?? "";
  speak(language);
  paint();
}

function paint() {
  const theme = element("theme").value;
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

element("language").addEventListener("change", () => {
  localStorage.setItem("language", element("language").value);
  speak(element("language").value);
  showModels();
  drawNetwork();
});
element("theme").addEventListener("change", () => {
  localStorage.setItem("theme", element("theme").value);
  paint();
});
element("key").addEventListener("change", () => {
  sessionStorage.setItem("key", element("key").value.trim());
  showGallery();
});

// Models.

function showModels() {
  const chosen = element("model").value;
  element("model").replaceChildren(...models.map((model) => {
    const title = model.title || model.id.slice(0, 20);
    return new Option(model.miners ? title : say("nobody", { title }), model.id);
  }));
  if (chosen) element("model").value = chosen;
  const model = models.find((one) => one.id === element("model").value);
  for (const [field, name] of [["width", "width_px"], ["height", "height_px"], ["steps", "steps"]]) {
    element(field).placeholder = model?.[name] ?? say("atModel");
  }
  element("seed").placeholder = say("atRandom");
}
element("model").addEventListener("change", showModels);

// Asking.

const number = (id) => (element(id).value === "" ? null : Number(element(id).value));

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  complain("");
  element("draw").disabled = true;
  try {
    const wanted = {
      prompt: element("prompt").value, model: element("model").value, negative_prompt: element("negative").value,
      width_px: number("width"), height_px: number("height"), steps: number("steps"), seed: number("seed"),
      pictures: number("pictures") ?? 1,
    };
    const view = await submit(wanted);
    location.hash = `task=${view.task_id}`; // shows it, by the event below
  } catch (error) {
    complain(reason(error));
  } finally {
    element("draw").disabled = false;
  }
});
element("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element("form").requestSubmit();
});
element("cancel").addEventListener("click", () => current && cancel(current.task).catch((error) => complain(reason(error))));

function reason(error) {
  return error instanceof Refused ? error.message : say("unreachable");
}

function complain(text) {
  element("error").textContent = text;
  element("error").hidden = !text;
}

// One task and its story.

async function show(task) {
  current?.stop.abort();
  const stop = new AbortController();
  current = { task, stop, attempts: new Set() };
  for (const id of ["story", "stage"]) element(id).replaceChildren();
  for (const id of ["links", "verify"]) element(id).hidden = true;
  status("");
  progress(null);
  tell(say("sent"));
  try {
    const view = await read(`/v1/tasks/${task}`);
    current.prompt = view.parameters.prompt;
    if (!element("prompt").value) element("prompt").value = view.parameters.prompt;
    await listen(task, view, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) {
      complain(reason(error));
      progress(0);
      element("cancel").hidden = true;
    }
  }
}

async function listen(task, view, signal) {
  element("cancel").hidden = false;
  for (;;) {
    try {
      for await (const event of events(task, signal)) {
        if (await happened(event, task, view)) {
          element("cancel").hidden = true;
          return;
        }
      }
    } catch (error) {
      if (signal.aborted || error instanceof Refused) throw error;
    }
    status(say("lost"));
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (signal.aborted) return;
  }
}

async function happened(event, task, view) {
  switch (event.kind) {
    case "queued":
      if (event.reason) tell(say("again", event));
      status((event.position ? say("queued", event) : say("queuedNext")) + eta(event));
      return false;
    case "drawn":
      tellDrawn([event.attempt]);
      status(say("drawing", { step: 0, steps: event.steps }) + eta(event));
      return false;
    case "progress":
      progress(event.step / event.steps);
      status(say("drawing", event));
      if (event.preview) stage([new Blob([bytes(event.preview)], { type: "image/png" })], "preview");
      return false;
    case "done":
      await finished(task);
      return true;
    default:
      tell(event.kind === "cancelled" ? say("cancelled") : say("failed", event));
      status("");
      progress(0);
      return true;
  }
}

const eta = (event) => (event.eta_p50_s ? ` ${say("eta", { seconds: Math.ceil(event.eta_p50_s), late: Math.ceil(event.eta_p90_s) })}` : "");

async function finished(task) {
  const [view, receipt] = await Promise.all([read(`/v1/tasks/${task}`), read(`/v1/tasks/${task}/receipt`)]);
  const drawn = await Promise.all(view.pictures.map((path) => picture(path)));
  if (current?.task !== task) return;
  tellDrawn(view.attempts); // where it was done before anybody listened
  stage(drawn, view.parameters.width_px <= SMALL_PX ? "small" : "");
  progress(1);
  const seconds = (view.finished_at - view.created_at).toFixed(1);
  status(say("done", { seconds }));
  tell(say("done", { seconds }));
  const { profile } = receipt.receipt;
  const miner = (await read("/v1/miners?limit=1000")).miners.find((one) => one.node_id === receipt.assignment.miner_node);
  tell(say("signed", { operator: miner?.operator ?? `#${receipt.assignment.miner_node}`, profile: `${profile.device}, ${profile.dtype}` }));
  element("save").href = URL.createObjectURL(drawn[0]);
  element("permalink").href = `#task=${task}`;
  element("links").hidden = element("verify").hidden = false;
  keep({ task, prompt: view.parameters.prompt, path: view.pictures[0] });
}

function stage(blobs, look) {
  const prompt = current?.prompt ?? "";
  const old = [...element("stage").querySelectorAll("img")].map((image) => image.src);
  element("stage").replaceChildren(...blobs.map((blob) => {
    const image = new Image();
    image.src = URL.createObjectURL(blob);
    image.className = look;
    image.alt = say(look === "preview" ? "previewOf" : "pictureOf", { prompt });
    return image;
  }));
  for (const url of old) URL.revokeObjectURL(url);
}

function tellDrawn(attempts) {
  for (const attempt of attempts) {
    if (current.attempts.has(attempt.attempt)) continue;
    current.attempts.add(attempt.attempt);
    tell(say("drawn", { miner: nameOf(attempt.miner_node), candidates: attempt.candidates, odds: (attempt.odds * 100).toFixed(1) }));
  }
}

function tell(text) {
  const line = document.createElement("li");
  line.textContent = text;
  element("story").append(line);
}

const status = (text) => { element("status").textContent = text || "\u00a0"; };

function progress(part) {
  if (part === null) element("progress").removeAttribute("value");
  else element("progress").value = part;
}

// The gallery: which tasks were asked for here. The pictures stay at the coordinator.

const kept = () => JSON.parse(localStorage.getItem("gallery") ?? "[]");

function keep(entry) {
  const others = kept().filter((one) => one.task !== entry.task);
  localStorage.setItem("gallery", JSON.stringify([entry, ...others].slice(0, KEPT)));
  showGallery();
}

async function showGallery() {
  const entries = kept();
  element("gallery-empty").hidden = entries.length > 0;
  element("gallery").replaceChildren(...entries.map((entry) => {
    const [line, link, caption] = ["li", "a", "span"].map((kind) => document.createElement(kind));
    const blank = document.createElement("div");
    blank.className = "blank";
    caption.textContent = entry.prompt;
    link.href = `#task=${entry.task}`;
    link.append(blank, caption);
    line.append(link);
    picture(entry.path).then((blob) => {
      const image = new Image();
      image.alt = "";
      image.loading = "lazy";
      image.src = URL.createObjectURL(blob);
      blank.replaceWith(image);
    }).catch(() => {}); // its time of keeping may be over, or the key is another one
    return line;
  }));
}

// Start.

function follows() {
  const task = /^#task=([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (task && task !== current?.task) show(task);
}

settle();
showGallery();
window.addEventListener("hashchange", follows);
read("/v1/models").then((list) => {
  models = list.data;
  showModels();
}).catch((error) => complain(reason(error)));
follow();
follows();
