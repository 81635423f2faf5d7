// The gallery: which tasks were asked for here, and what exactly. The pictures stay at the coordinator.

import { picture } from "./api.js";
import { element, made } from "./dom.js";

const KEPT = 60;

const kept = () => JSON.parse(localStorage.getItem("gallery") ?? "[]");

// Returns {task, prompt, asked, done} of a task that this browser asked for, or undefined.
export const remembered = (task) => kept().find((one) => one.task === task);

export function keep(entry) {
  store([{ ...remembered(entry.task), ...entry }, ...kept().filter((one) => one.task !== entry.task)].slice(0, KEPT));
}

export function forget(task) {
  store(kept().filter((one) => one.task !== task));
}

function store(entries) {
  localStorage.setItem("gallery", JSON.stringify(entries));
  showGallery();
}

export function showGallery() {
  const entries = kept().filter((one) => one.done);
  element("gallery-empty").hidden = entries.length > 0;
  element("forget").hidden = entries.length === 0;
  element("gallery").replaceChildren(...entries.map((entry) => {
    const [line, link, blank] = [made("li"), made("a"), made("div", "blank")];
    link.href = `#task=${entry.task}`;
    link.title = entry.prompt;
    link.append(blank, made("span", "", entry.prompt));
    line.append(link);
    picture(`/v1/tasks/${entry.task}/pictures/0.png`).then((blob) => {
      const image = new Image();
      image.alt = "";
      image.src = URL.createObjectURL(blob);
      image.addEventListener("load", () => URL.revokeObjectURL(image.src));
      blank.replaceWith(image);
    }).catch(() => {}); // its time of keeping may be over, or the key is another one
    return line;
  }));
}

element("forget").addEventListener("click", () => {
  localStorage.removeItem("gallery");
  showGallery();
});
