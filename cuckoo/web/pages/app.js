// The playground: settings, models, and what is asked for.

import { cancel, read, submit } from "./api.js";
import { blame, complain, element, reason } from "./dom.js";
import { keep, showGallery } from "./gallery.js";
import { draw as drawNetwork, follow } from "./network.js";
import * as source from "./source.js";
import { firstPicture, render, show, shown } from "./story.js";
import { say, speak } from "./words.js";

const SIZES = [["width", "width_px"], ["height", "height_px"], ["steps", "steps"]];

let models = [];

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
  render();
});
element("theme").addEventListener("change", () => {
  localStorage.setItem("theme", element("theme").value);
  paint();
});
element("key").addEventListener("change", () => {
  sessionStorage.setItem("key", element("key").value.trim());
  complain("");
  showGallery();
  follows();
});

// Models.

const chosen = () => models.find((one) => one.id === element("model").value);

function showModels() {
  const before = element("model").value;
  element("model").replaceChildren(...models.map((model) => {
    const title = model.title || model.id.slice(0, 20);
    return new Option(model.miners ? title : say("nobody", { title }), model.id);
  }));
  if (before) element("model").value = before;
  for (const [field, name] of SIZES) element(field).placeholder = chosen()?.[name] ?? say("atModel");
  element("seed").placeholder = say("atRandom");
  element("nobody").hidden = !chosen() || chosen().miners > 0;
  source.offer(chosen()?.modes);
}
element("model").addEventListener("change", showModels);

const SIDE_PX = 512; // where neither the form nor the model says one
source.listen(() => SIZES.slice(0, 2).map(([field, name]) => number(field) || (chosen()?.[name] ?? SIDE_PX)));
element("reuse").addEventListener("click", async () => {
  await source.take(firstPicture());
  element("source").scrollIntoView({ block: "center", behavior: "smooth" });
});
for (const field of ["width", "height"]) element(field).addEventListener("change", source.fit);

// The list of choices is left alone, for whoever has it open, while nothing has changed.
function known(list) {
  if (JSON.stringify(list) === JSON.stringify(models)) return;
  models = list;
  showModels();
}

// Asking.

const number = (id) => (element(id).value === "" ? null : Number(element(id).value));

function wanted() {
  return {
    prompt: element("prompt").value, model: element("model").value, negative_prompt: element("negative").value,
    width_px: number("width"), height_px: number("height"), steps: number("steps"), seed: number("seed"),
    pictures: number("pictures") ?? 1,
  };
}

const NO_LORAS = "0".repeat(64);

// What of a request has to come back in what is signed; null is left to the coordinator.
function askedFor({ model, ...fields }, ofPictures) {
  const model_digest = models.find((one) => one.id === model)?.digest ?? null;
  const all = { ...fields, ...ofPictures, model_digest, loras_hash: NO_LORAS, reproducible: true };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  complain("");
  element("draw").disabled = true;
  try {
    const request = wanted();
    const pictures = await source.wanted();
    const view = await submit({ ...request, ...pictures.fields });
    keep({ task: view.task_id, prompt: request.prompt, asked: askedFor(request, pictures.asked) });
    location.hash = `task=${view.task_id}`; // shows it, by the event below
    element("result").scrollIntoView({ block: "nearest", behavior: "smooth" });
  } catch (error) {
    blame(error);
  } finally {
    element("draw").disabled = false;
  }
});
// What the browser itself refuses has to be seen.
element("form").addEventListener("invalid", (event) => {
  if (element("more").contains(event.target)) element("more").open = true;
}, true);
element("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element("form").requestSubmit();
});
element("cancel").addEventListener("click", () => cancel(shown()).catch((error) => complain(reason(error))));

// Start.

function follows() {
  const task = /^#task=([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (task && task !== shown()) show(task);
}

settle();
showGallery();
window.addEventListener("hashchange", follows);
follow(known).catch((error) => complain(reason(error)));
follows();
