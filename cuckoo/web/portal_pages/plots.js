// Plots of days: bars that stand on each other, and lines. Each says in words what it shows; the numbers are in a table beside it.

import { made } from "./dom.js";
import { say } from "./words.js";

const HEIGHT = 200;
const EDGE = { left: 64, right: 10, top: 12, bottom: 24 };
const KINDS = 3;

export function svg(kind, attributes, text) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) drawn.setAttribute(name, value);
  if (text !== undefined) drawn.textContent = text;
  return drawn;
}

const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

// The paper of a plot: axes, their numbers, the first and last day.
function paper(label, days, most) {
  const width = Math.max(280, Math.min(760, document.documentElement.clientWidth - 90));
  const top = most > 0 ? most : 1;
  const y = (value) => HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.bottom - EDGE.top);
  const step = (width - EDGE.left - EDGE.right) / Math.max(1, days.length);
  const x = (at) => EDGE.left + at * step;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": label });
  for (const part of [0, 0.5, 1]) {
    picture.append(svg("line", { class: "axis", x1: EDGE.left, x2: width - EDGE.right, y1: y(top * part), y2: y(top * part) }));
    picture.append(svg("text", { x: EDGE.left - 6, y: y(top * part) + 4, "text-anchor": "end" }, short.format(top * part)));
  }
  if (days.length) picture.append(svg("text", { x: EDGE.left, y: HEIGHT - 6 }, days[0]));
  if (days.length > 1) picture.append(svg("text", { x: width - EDGE.right, y: HEIGHT - 6, "text-anchor": "end" }, days.at(-1)));
  return { picture, x, y, step };
}

const legend = (names) =>
  made("p", { class: "legend" }, ...names.flatMap((name, at) => [made("span", { class: `swatch kind${at % KINDS}`, "aria-hidden": "true" }), ` ${name} `]));

// rows: [day, [value of each name]]; values as numbers of CAI.
export function bars(label, names, rows) {
  const most = Math.max(0, ...rows.map(([, values]) => values.reduce((sum, one) => sum + one, 0)));
  if (!most) return made("p", {}, say("nothingHappened"));
  const { picture, x, y, step } = paper(label, rows.map(([day]) => day), most);
  rows.forEach(([day, values], at) => {
    let below = 0;
    values.forEach((value, kind) => {
      if (!value) return;
      const bar = svg("rect", { class: `kind${kind % KINDS}`, x: x(at) + step * 0.1, width: Math.max(1, step * 0.8), y: y(below + value), height: y(below) - y(below + value) });
      bar.append(svg("title", {}, `${day}, ${names[kind]}: ${value.toLocaleString(undefined, { maximumFractionDigits: 4 })}`));
      picture.append(bar);
      below += value;
    });
  });
  return made("figure", { class: "plot" }, picture, legend(names));
}

// The same rows as lines: one for each name.
export function lines(label, names, rows) {
  const most = Math.max(0, ...rows.flatMap(([, values]) => values));
  const { picture, x, y, step } = paper(label, rows.map(([day]) => day), most);
  names.forEach((_, kind) => {
    const points = rows.map(([, values], at) => `${x(at) + step / 2},${y(values[kind])}`);
    picture.append(rows.length > 1
      ? svg("polyline", { class: `kind${kind % KINDS}`, points: points.join(" ") })
      : svg("circle", { class: `kind${kind % KINDS}`, cx: x(0) + step / 2, cy: y(rows[0]?.[1][kind] ?? 0), r: 4 }));
  });
  return made("figure", { class: "plot" }, picture, legend(names));
}
