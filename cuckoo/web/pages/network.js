// The network at a glance: numbers, and each miner's work against its odds.

import { Refused, Unreachable, read } from "./api.js";
import { element, made } from "./dom.js";
import { say } from "./words.js";

const EVERY_MS = 5_000;
const SIDE = { width: 460, height: 260, left: 46, right: 12, top: 10, bottom: 38 };
const AWAY = 3.29; // standard deviations: one miner of a thousand lies beyond

const whole = (wei) => Number(BigInt(wei) / 10n ** 18n);
const count = (value) => value.toLocaleString(document.documentElement.lang);

const WINDOW_MS = 60_000;
const WATCHED_MS = 15_000;
let shown = null;
let samples = []; // {at, done}, of the last minute

// Looks for ever; `known` hears the models each time. While the coordinator does not answer, the last numbers stay.
export async function follow(known) {
  for (;;) {
    try {
      shown = await look();
      samples.push({ at: Date.now(), done: doneBy(shown.miners) });
      samples = samples.filter((sample) => sample.at >= Date.now() - WINDOW_MS);
      known(shown.models);
      draw();
      element("away").hidden = true;
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof Refused)) throw error;
      element("away").hidden = false;
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

// Whether the first seed for draws is there; true where nothing is known yet.
export const ready = () => shown === null || shown.network.period !== null;

// Whether a miner is there for a model; true where nothing is known yet.
export const servedBy = (name) => shown?.models.find((model) => model.id === name)?.miners !== 0;

export function draw() {
  if (!shown) return;
  const { network, miners } = shown;
  const working = miners.filter((miner) => miner.signed_in);
  const tiles = {
    tileMiners: working.length,
    tileStake: working.reduce((sum, miner) => sum + whole(miner.weight_wei), 0),
    tileWaiting: network.queued,
    tileRunning: network.running,
    tileDone: doneBy(miners),
    tileRate: rate(),
  };
  element("tiles").replaceChildren(...Object.entries(tiles).map(([name, value]) => pair(say(name), count(value))));
  element("plot").replaceChildren(plot(miners.filter((miner) => miner.assigned > 0)));
  element("miners").replaceChildren(...table(miners));
}

const doneBy = (miners) => miners.reduce((sum, miner) => sum + miner.done, 0);

// Tasks done in the last minute; "…" while it was not watched for long enough to say.
function rate() {
  const [first, last] = [samples[0], samples.at(-1)];
  const watchedMs = last.at - first.at;
  return watchedMs < WATCHED_MS ? "…" : Math.round((last.done - first.done) * (60_000 / watchedMs));
}

async function look() {
  const [network, models] = await Promise.all([read("/v1/network"), read("/v1/models")]);
  const miners = [];
  let after = 0;
  while (after !== null && miners.length < 10_000) {
    const page = await read(`/v1/miners?limit=1000&after=${after}`);
    miners.push(...page.miners);
    after = page.cursor ?? null;
  }
  return { network, miners, models: models.data };
}

export function nameOf(node) {
  const miner = shown?.miners.find((one) => one.node_id === node);
  try {
    const name = JSON.parse(miner.introduction).name;
    if (typeof name === "string" && name) return `${name.slice(0, 40)} (${node})`;
  } catch {
    // no introduction, or one that is no JSON
  }
  return String(node);
}

function pair(name, value) {
  const box = made("div");
  box.append(made("dt", "", name), made("dd", "", value));
  return box;
}

function svg(kind, attributes, text) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) drawn.setAttribute(name, value);
  if (text !== undefined) drawn.textContent = text;
  return drawn;
}

function plot(miners) {
  if (!miners.length) {
    return made("p", "hint", say("noWork"));
  }
  const most = Math.max(4, ...miners.map((miner) => Math.max(miner.expected, miner.assigned))) * 1.1;
  const x = (value) => SIDE.left + (value / most) * (SIDE.width - SIDE.left - SIDE.right);
  const y = (value) => SIDE.height - SIDE.bottom - (value / most) * (SIDE.height - SIDE.bottom - SIDE.top);
  const picture = svg("svg", {
    viewBox: `0 0 ${SIDE.width} ${SIDE.height}`, role: "img", "aria-label": `${say("fairTitle")} ${say("fairText")}`,
  });
  const edges = Array.from({ length: 41 }, (_, step) => (most * step) / 40);
  const spread = (value) => AWAY * Math.sqrt(value);
  const band = [
    ...edges.map((value) => [x(value), y(Math.min(most, value + spread(value)))]),
    ...edges.reverse().map((value) => [x(value), y(Math.max(0, value - spread(value)))]),
  ];
  picture.append(svg("polygon", { class: "band", points: band.map((point) => point.join(",")).join(" ") }));
  picture.append(svg("line", { class: "axis", x1: x(0), y1: y(0), x2: x(most), y2: y(0) }));
  picture.append(svg("line", { class: "axis", x1: x(0), y1: y(0), x2: x(0), y2: y(most) }));
  picture.append(svg("line", { class: "even", x1: x(0), y1: y(0), x2: x(most), y2: y(most) }));
  for (const part of [0.5, 1]) {
    const value = Math.round((most / 1.1) * part);
    picture.append(svg("text", { x: x(value), y: y(0) + 15, "text-anchor": "middle" }, count(value)));
    picture.append(svg("text", { x: x(0) - 6, y: y(value) + 4, "text-anchor": "end" }, count(value)));
  }
  picture.append(svg("text", { x: x(most / 2), y: SIDE.height - 6, "text-anchor": "middle" }, say("xAxis")));
  picture.append(svg("text", { x: 12, y: y(most / 2), "text-anchor": "middle", transform: `rotate(-90 12 ${y(most / 2)})` }, say("yAxis")));
  for (const miner of miners) {
    const away = Math.abs(miner.assigned - miner.expected) > AWAY * Math.sqrt(Math.max(miner.variance, 1));
    const dot = svg("circle", { cx: x(miner.expected), cy: y(miner.assigned), r: 4.5, class: away ? "away" : "" });
    dot.append(svg("title", {}, `${nameOf(miner.node_id)}: ${miner.assigned} / ${miner.expected.toFixed(1)}`));
    picture.append(dot);
  }
  return picture;
}

function table(miners) {
  const row = (kind, cells) => {
    const line = made("tr");
    for (const cell of cells) {
      const one = made(kind, "", cell);
      if (kind === "th") one.scope = "col";
      line.append(one);
    }
    return line;
  };
  const [head, body] = [made("thead"), made("tbody")];
  head.append(row("th", ["colMiner", "colStake", "colExpected", "colDone", "colFailed"].map((name) => say(name))));
  for (const miner of miners.slice(0, 200)) {
    body.append(row("td", [
      nameOf(miner.node_id), count(whole(miner.weight_wei)), miner.expected.toFixed(1), count(miner.done),
      count(miner.failed + miner.lost),
    ]));
  }
  return [head, body];
}
