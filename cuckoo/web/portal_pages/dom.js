// Small things that every screen needs.

import { Unreachable } from "./api.js";
import { language, say } from "./words.js";

export const element = (id) => document.getElementById(id);

// made("p", { class: "hint" }, "text", anotherElement): text is text, never markup.
export function made(kind, attributes = {}, ...children) {
  const one = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) one.addEventListener(name.slice(2), value);
    else if (value === true) one.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) one.setAttribute(name, value);
  }
  one.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return one;
}

export const reason = (error) => (error instanceof Unreachable ? say("unreachable") : error.message);

// A decimal text with its thousands parted, cut to four decimals; the whole number is in the title.
export function cai(text) {
  const [whole, fraction = ""] = text.split(".");
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const short = fraction.slice(0, 4).replace(/0+$/, "");
  return made("span", { title: `${text} CAI` }, short ? `${parted}.${short}` : parted);
}

export const percent = (text) => (text === null ? "–" : `${Number(text).toFixed(2)} %`);

export const moment = (seconds) =>
  new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(Number(seconds) * 1000));

// "14 days", "4 minutes": the largest unit that fits, in the page's language.
export function lasting(seconds) {
  const count = Number(seconds);
  const [unit, size] = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]].find(([, one]) => count >= one) ?? ["second", 1];
  return new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 1 }).format(count / size);
}

// Only what leads to a web page becomes a link, shown in full, and tells the other side nothing.
export function link(text) {
  let address;
  try { address = new URL(text); } catch { return made("span", {}, text); }
  if (!["http:", "https:"].includes(address.protocol)) return made("span", {}, text);
  return made("a", { href: address.href, rel: "noopener noreferrer nofollow", target: "_blank" }, text);
}

export const section = (title, ...children) => made("section", { "aria-label": title }, made("h2", {}, title), ...children);

export const nodeLink = (id, name) => made("a", { href: `#node/${id}` }, name ? `${name} (${id})` : `${id}`);

export const facts = (...rows) =>
  made("dl", { class: "facts" }, ...rows.filter(Boolean).flatMap(([name, ...value]) => [made("dt", {}, name), made("dd", {}, ...value)]));

// columns: [title, {left, sort}]; rows: arrays of children.
export function table(label, columns, rows) {
  const head = made("tr", {}, ...columns.map(([title, options = {}]) => made("th", { scope: "col", class: options.left ? "left" : null, "aria-sort": options.sorted ?? null }, options.head ?? title)));
  const body = rows.map((row) => made("tr", {}, ...row.map((cell, at) => made("td", { class: columns[at][1]?.look ?? (columns[at][1]?.left ? "left" : null) }, ...[cell].flat()))));
  return made("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, made("table", {}, made("thead", {}, head), made("tbody", {}, ...body)));
}

export const badge = (text, bad = true) => made("span", { class: bad ? "badge bad" : "badge" }, text);
