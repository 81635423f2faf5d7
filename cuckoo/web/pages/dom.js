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

// Says in the language of the page why a call went wrong; in the coordinator's words where it has more to say.
export function reason(error) {
  if (error instanceof Unreachable) return say("unreachable");
  return error.code in SAID ? say(SAID[error.code]) : error.message;
}

export function complain(text) {
  element("error").textContent = text;
  element("error").hidden = !text;
}
