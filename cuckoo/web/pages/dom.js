// Small things that every part of the page needs.

import { Unreachable } from "./api.js";
import { say } from "./words.js";

export const element = (id) => document.getElementById(id);

export function made(kind, look = "", text = "") {
  const one = document.createElement(kind);
  if (look) one.className = look;
  one.textContent = text;
  return one;
}

const SAID = {
  key_refused: "errKey", not_found: "errNotFound", overloaded: "errFull", limit_reached: "errLimit", unavailable: "errUnavailable",
};

// Fields of a request: where they stand here, and what they are called.
const FIELDS = {
  prompt: ["prompt"], negative_prompt: ["negative"], model: ["model", "model"], pictures: ["pictures", "pictures"],
  width_px: ["width", "width"], height_px: ["height", "height"], "width_px x height_px": ["width", "sides"],
  steps: ["steps", "steps"], seed: ["seed", "seed"], source: ["file"], strength: ["strength", "strength"],
};

// Says in the language of the page why a call went wrong; in the coordinator's words where it has more to say.
export function reason(error) {
  if (error instanceof Unreachable) return say("unreachable");
  const [, name] = FIELDS[error.field] ?? [];
  if (name && error.limit) return `${say(name)}: ${error.limit}`;
  if (error.status === 401 && element("key").value) return say("errWrongKey");
  return error.code in SAID ? say(SAID[error.code]) : error.message;
}

export function complain(text) {
  element("error").textContent = text;
  element("error").hidden = !text;
}

// A refused request: the field at fault is marked, and has the focus.
export function blame(error) {
  complain(reason(error));
  const [id] = error.status === 401 ? ["key"] : FIELDS[error.field] ?? [];
  if (!id) return;
  const field = element(id);
  if (element("more").contains(field)) element("more").open = true;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", "error");
  field.focus();
  field.addEventListener("change", () => ["aria-invalid", "aria-describedby"].forEach((name) => field.removeAttribute(name)), { once: true });
}
