// One task: how it comes about, who made it, whether the receipt holds, what an audit found.

import { Refused, bytes, events, picture, read } from "./api.js";
import { complain, element, made, reason } from "./dom.js";
import { forget, keep, remembered } from "./gallery.js";
import { nameOf, ready, servedBy } from "./network.js";
import { say } from "./words.js";

const AGAIN_MS = 1_500;
const AUDIT_LOOKS_S = [3, 5, 10, 20, 40, 80, 160]; // an audit takes seconds to minutes
const SMALL_PX = 160;

let current = null; // {task, view, stop, attempts, failed, blobs, lines, status, found, audit}; what is said as [name of the words, values]

export const shown = () => current?.task ?? null;

export async function show(task) {
  current?.stop.abort();
  const mine = { task, stop: new AbortController(), attempts: new Set(), failed: 0, lines: [], status: null, found: null, audit: null };
  current = mine;
  complain("");
  element("told").hidden = false;
  element("checked").hidden = element("links").hidden = true;
  place([]);
  element("progress").hidden = false;
  progress(null);
  tell("sent");
  try {
    mine.view = await read(`/v1/tasks/${task}`);
    if (current !== mine) return;
    await prepare(mine);
    await listen(mine);
  } catch (error) {
    if (current === mine) fail(error);
  }
}

// Nothing moves when the picture comes: its place is there before it.
async function prepare({ view }) {
  const { prompt, width_px: width, height_px: height } = view.parameters;
  if (!element("prompt").value) element("prompt").value = prompt;
  const blank = made("div", "blank");
  blank.style.aspectRatio = `${width} / ${height}`;
  place([blank]);
}

function fail(error) {
  const words = made("p", "error", reason(error));
  words.setAttribute("role", "alert");
  element("told").hidden = true;
  place([words]);
  element("cancel").hidden = true;
  if (error.status === 401) element("more").open = true; // there the key goes
  current = null;
}

async function listen(mine) {
  element("cancel").hidden = mine.view.status !== "queued" && mine.view.status !== "running";
  for (;;) {
    try {
      for await (const event of events(mine.task, mine.stop.signal)) {
        if (current !== mine) return;
        if (await happened(event, mine)) return;
      }
    } catch (error) {
      if (mine.stop.signal.aborted || error instanceof Refused) throw error;
    }
    status("lost");
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (current !== mine) return;
  }
}

// Tells an event; true when it was the last.
async function happened(event, mine) {
  switch (event.kind) {
    case "queued":
      if (event.reason) {
        tell("again", event);
        mine.failed = mine.attempts.size;
      }
      if (!ready()) status("queuedSeed");
      else if (!servedBy(mine.view.model)) status("queuedNobody");
      else status(event.position ? "queued" : "queuedNext", event);
      return false;
    case "drawn":
      tellDrawn([event.attempt]);
      status("drawing", { ...event, step: event.step ?? 0 });
      return false;
    case "progress":
      progress(event.step / event.steps);
      status("drawing", event);
      if (event.preview) stage([new Blob([bytes(event.preview)], { type: "image/png" })], "preview");
      return false;
    case "done":
      await finished(mine);
      break;
    default:
      await ended(event, mine);
  }
  element("cancel").hidden = true;
  return true;
}

async function ended(event, mine) {
  forget(mine.task);
  place([made("p", "", say(event.kind === "cancelled" ? "noPictureAsked" : "noPicture"))]);
  element("progress").hidden = true;
  if (event.kind === "cancelled") {
    tell("cancelled");
  } else {
    const { attempts } = await read(`/v1/tasks/${mine.task}`);
    if (current !== mine) return;
    tellDrawn(attempts);
    for (const one of attempts.slice(mine.failed)) tell("attemptFailed", { ...one, miner: nameOf(one.miner_node) });
    if (attempts.length) tell("failedAll", { attempts: attempts.length });
    else tell("failed", event);
  }
  status(null);
}

async function finished(mine) {
  const [view, receipt, network] = await Promise.all([
    read(`/v1/tasks/${mine.task}`), read(`/v1/tasks/${mine.task}/receipt`), read("/v1/network"),
  ]);
  const node = receipt.assignment.miner_node;
  const { miners } = await read(`/v1/miners?limit=1&after=${node - 1}`);
  const blobs = await Promise.all(view.pictures.map((path) => picture(path)));
  if (current !== mine) return;
  [mine.view, mine.blobs] = [view, blobs];
  tellDrawn(view.attempts); // where it was done before anybody listened
  stage(blobs, view.parameters.width_px <= SMALL_PX ? "small" : "");
  progress(1);
  const seconds = (view.finished_at - view.created_at).toFixed(1);
  status("done", { seconds });
  tell("done", { seconds });
  const { profile } = receipt.receipt;
  tell("ranOn", { miner: nameOf(node), profile: [profile.device, profile.dtype, profile.isa].filter(Boolean).join(", ") });
  mine.audit = view.audit;
  keep({ task: mine.task, prompt: view.parameters.prompt, done: true });
  offer(mine.task);
  await checked(mine, { receipt, network, miner: miners[0], blobs });
  awaitAudit(mine);
}

// The receipt, step by step. The libraries for it are loaded when there is something to check.
async function checked(mine, { receipt, network, miner, blobs }) {
  const asked = remembered(mine.task)?.asked;
  try {
    const { check } = await import("./receipt.js");
    const files = await Promise.all(blobs.map(async (blob) => new Uint8Array(await blob.arrayBuffer())));
    mine.found = await check({ task: mine.task, files, receipt, asked: asked ?? mine.view.parameters, miner, network });
  } catch (error) {
    mine.found = [{ name: "broken", ok: false, reason: error.message }];
  }
  mine.askedHere = asked !== undefined;
  if (current === mine) render();
}

function wordsFor(step, mine) {
  const { parameters } = mine.view;
  const miner = step.node === undefined ? "" : nameOf(step.node);
  const name = {
    pixels: step.ok ? "pixelsHold" : "pixelsWrong",
    receipt: step.ok ? "receiptHolds" : step.fault === "signer" ? "receiptWrong" : "receiptOther",
    assignment: step.ok ? "assignmentHolds" : "assignmentWrong",
    parameters: !step.ok ? "parametersWrong" : mine.askedHere ? "parametersHold" : "parametersSigned",
    broken: "checkBroken",
  }[step.name];
  return say(name, { ...step, miner, operator: short(step.operator), signer: short(step.signer), ...(name === "parametersSigned" ? parameters : {}) });
}

async function awaitAudit(mine) {
  for (const seconds of mine.audit ? [] : AUDIT_LOOKS_S) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    if (current !== mine) return;
    const view = await read(`/v1/tasks/${mine.task}`).catch(() => null); // it was there: another time, then
    mine.audit = view?.audit ?? null;
    if (mine.audit) return render();
  }
}

// What is on the page, in its language of now.

export function render() {
  if (!current) return;
  const { lines, found, audit, view, status: standing } = current;
  element("story").replaceChildren(...lines.map(([name, values]) => made("li", "", say(name, values))));
  if (view?.status === "done") {
    element("story").append(made("li", audit?.state === "failed" ? "bad" : "", say(audit ? `audit_${audit.state}` : "auditNone", audit ?? {})));
  }
  const saves = [...element("saves").children];
  for (const [at, link] of saves.entries()) link.textContent = saves.length > 1 ? say("saveOne", { number: at + 1 }) : say("save");
  element("status").textContent = standing ? say(...standing) + eta(standing[1]) : "\u00a0";
  element("checked").hidden = !found;
  if (!found) return;
  const holds = found.every((step) => step.ok);
  element("verdict").textContent = say(holds ? "verdictHolds" : "verdictWrong");
  element("verdict").className = holds ? "good" : "bad";
  element("checks").replaceChildren(...found.map((step) => {
    const line = made("li", step.ok ? "good" : "bad");
    const mark = made("span", "mark", step.ok ? "✓" : "✗");
    mark.setAttribute("aria-hidden", "true");
    line.title = step.operator ?? "";
    line.append(mark, made("span", "visually-hidden", say(step.ok ? "markGood" : "markBad")), made("span", "", wordsFor(step, current)));
    return line;
  }));
}

const short = (address = "") => (address.length > 20 ? `${address.slice(0, 8)}\u2060…\u2060${address.slice(-6)}` : address);

const eta = (event) => (event?.eta_p50_s ? ` ${say("eta", { seconds: Math.ceil(event.eta_p50_s), late: Math.ceil(event.eta_p90_s) })}` : "");

function tell(name, values = {}) {
  current.lines.push([name, values]);
  render();
}

function status(name, values = {}) {
  current.status = name && [name, values];
  render();
}

function tellDrawn(attempts) {
  for (const attempt of attempts) {
    if (current.attempts.has(attempt.attempt)) continue;
    current.attempts.add(attempt.attempt);
    tell("drawn", { miner: nameOf(attempt.miner_node), candidates: attempt.candidates, odds: (attempt.odds * 100).toFixed(1) });
  }
}

function stage(blobs, look) {
  const { prompt, width_px: width, height_px: height } = current.view.parameters;
  const old = [...element("stage").querySelectorAll("img")].map((image) => image.src);
  place(blobs.map((blob) => {
    const image = new Image(width, height);
    image.src = URL.createObjectURL(blob);
    image.className = look;
    image.alt = say(look === "preview" ? "previewOf" : "pictureOf", { prompt });
    return image;
  }));
  for (const url of old) URL.revokeObjectURL(url);
}

function place(things) {
  element("stage").style.setProperty("--columns", Math.ceil(Math.sqrt(things.length)));
  element("stage").replaceChildren(...things);
}

function offer(task) {
  const images = [...element("stage").querySelectorAll("img")];
  element("saves").replaceChildren(...images.map((image, at) => {
    const link = made("a");
    link.href = image.src;
    link.download = images.length > 1 ? `picture-${at + 1}.png` : "picture.png";
    return link;
  }));
  element("reuse").hidden = element("source").hidden;
  element("permalink").href = `#task=${task}`;
  element("links").hidden = false;
  render();
}

// The first picture, to start the next one from.
export const firstPicture = () => current.blobs[0];

function progress(part) {
  if (part === null) element("progress").removeAttribute("value");
  else element("progress").value = part;
}
