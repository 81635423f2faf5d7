// From a wish to a transaction: plan, confirm, sign, and follow what was sent, also after a reload and in other tabs.

import * as api from "./api.js";
import { element, lasting, made, moment, reason } from "./dom.js";
import { say } from "./words.js";
import * as wallet from "./wallet.js";

const KEY = "pending";
const LOOK_MS = 1000;
const channel = new BroadcastChannel("cuckoo portal");
let following = null;
let afterwards = () => {};

export const onDone = (listener) => { afterwards = listener; };

const kept = () => JSON.parse(localStorage.getItem(KEY) ?? "[]");

function keep(list) {
  localStorage.setItem(KEY, JSON.stringify(list));
  show();
  channel.postMessage("pending");
}

channel.addEventListener("message", () => { show(); afterwards(); });

// Every sentence with numbers that people read: times as lengths or dates.
function riskText({ kind, numbers }) {
  const told = { ...numbers };
  if (told.seconds) told.seconds = lasting(told.seconds);
  if (told.until) told.until = moment(told.until);
  return say(`risk_${kind}`, told);
}

// Asks for the plan of an act and shows it, with warnings of the page before its risks; carries it out when it is confirmed. Errors are thrown to the form.
export async function ask(title, act, warnings) {
  const { state } = wallet;
  const wanted = { ...act, address: state.address };
  const planned = await api.plan(wanted);
  if (!(await confirmed(title, planned, warnings))) return false;
  if (state.provider) await signInWallet(title, planned);
  else await signHere(title, wanted);
  return true;
}

function confirmed(title, planned, warnings) {
  const dialog = element("ask");
  const steps = planned.steps.map((step) => made("li", {}, `${step.title} – `, made("code", {}, `${step.contract}.${step.function}`), made("br"),
    made("span", { class: "numbers" }, Object.entries(step.arguments).map(([name, value]) => `${name}: ${value}`).join(", "), made("br"),
      step.gas === null ? say("gasLater") : say("gasAbout", { gas: step.gas.toLocaleString() }), ` · ${step.to}`)));
  const before = [...warnings, ...planned.risks.map(riskText)];
  const yes = made("button", { type: "button", value: "yes" }, say(wallet.state.provider ? "confirm" : "signHere"));
  const no = made("button", { type: "button", class: "quiet", value: "no" }, say("cancel"));
  dialog.replaceChildren(
    made("h2", { id: "ask-title" }, title),
    ...(before.length ? [made("h3", {}, say("before")), made("ul", {}, ...before.map((text) => made("li", { class: "risk" }, text)))] : []),
    made("h3", {}, say("willBe")), made("ul", {}, ...planned.outcome.map((line) => made("li", {}, line))),
    made("h3", {}, say("transactions")), made("ol", {}, ...steps),
    made("p", { class: "buttons" }, yes, no),
  );
  return new Promise((resolve) => {
    const answer = (value) => { dialog.close(); resolve(value); };
    yes.addEventListener("click", () => answer(true));
    no.addEventListener("click", () => answer(false));
    dialog.addEventListener("cancel", () => resolve(false), { once: true });
    dialog.showModal();
    no.focus();
  });
}

async function signInWallet(title, { steps }) {
  await proceed(title, steps, steps.length, wallet.state.address);
}

// Sends the first of some steps; those after it stay with it until it is done, and wait for their turn here or after a reload.
async function proceed(title, [step, ...later], all, from) {
  if (wallet.state.address !== from) throw new Error(say("otherAccount", { address: from }));
  if (wallet.wrongNetwork()) throw new Error(say("wrongNetwork", { chain: wallet.state.chain, wanted: wallet.state.session.chain_id }));
  const hash = await wallet.send(step);
  const sent = { hash, title: all > 1 ? `${title} (${step.title})` : title, from, nonce: await wallet.nonceOf(hash), state: "pending", at: Date.now(), whole: title, later, all };
  keep([...kept(), sent]);
  follow();
  if (later.length && (await settled(hash)) === "done") await goOn(hash);
}

// Sends what comes after a transaction that is done, once, whichever tab it is asked in.
async function goOn(hash) {
  await navigator.locks.request(`plan ${hash}`, { ifAvailable: true }, async (lock) => {
    const sent = kept().find((one) => one.hash === hash);
    if (!lock || !sent?.later?.length) return;
    const { later, whole, all, from } = sent;
    const taken = (left) => keep(kept().map((one) => (one.hash === hash ? { ...one, later: left } : one)));
    taken([]);
    try {
      await proceed(whole, later, all, from);
    } catch (error) {
      taken(later);
      notice(reason(error)); // the form that it began in may be gone
    }
  });
}

// Waits until a transaction is over; the strip shows how it went.
async function settled(hash) {
  for (;;) {
    const one = kept().find((sent) => sent.hash === hash);
    if (!one || one.state !== "pending") return one?.state ?? "replaced";
    await new Promise((wake) => setTimeout(wake, LOOK_MS / 4));
  }
}

async function signHere(title, act) {
  const id = crypto.randomUUID();
  const token = wallet.state.session.csrf;
  await api.begin(act, id, token);
  keep([...kept(), { id, title, state: "signing" }]);
  follow();
}

async function lookAt(sent) {
  if (sent.state === "signing") {
    const told = await api.act(sent.id, wallet.state.session.csrf);
    if (told.state === "pending") return sent;
    return { ...sent, state: told.state === "done" ? "done" : "actFailed", reason: told.error, outcome: told.outcome };
  }
  if (sent.state !== "pending" || !wallet.state.provider) return sent;
  const found = await wallet.standing(sent);
  return found === "waiting" ? sent : { ...sent, state: found };
}

const isOpen = (sent) => sent.state === "pending" || sent.state === "signing";

// Looks at what is under way until nothing is.
export function follow() {
  if (following) return;
  following = setInterval(async () => {
    const before = kept();
    const open = before.filter(isOpen);
    if (!open.length) {
      clearInterval(following);
      following = null;
      return;
    }
    const found = await Promise.all(open.map((sent) => lookAt(sent).catch((error) =>
      error.status === 404 ? { ...sent, state: "actFailed", reason: reason(error) } : sent)));
    const news = found.filter((sent) => !isOpen(sent));
    if (!news.length) return;
    const named = (sent) => sent.hash ?? sent.id;
    keep(kept().map((sent) => news.find((one) => named(one) === named(sent)) ?? sent));
    afterwards();
  }, LOOK_MS);
}

let said = [];

// Says something above the page, until it is dismissed.
export function notice(text) {
  said = [...said.filter((one) => one !== text), text];
  show();
}

export function show() {
  const notices = said.map((text) => made("p", { class: "bad" }, text, " ", made("button", { class: "link", type: "button", onclick: () => { said = said.filter((one) => one !== text); show(); } }, say("dismiss"))));
  const lines = kept().map((sent) => made("p", { class: ["failed", "replaced", "dropped", "actFailed"].includes(sent.state) ? "bad" : null },
    say(sent.state, { title: sent.title, reason: sent.reason }), " ",
    sent.hash ? made("code", {}, sent.hash) : null, " ",
    sent.state === "done" && sent.later?.length ? made("button", { class: "quiet", type: "button", onclick: () => goOn(sent.hash) }, say("goOn", { step: sent.all - sent.later.length + 1, all: sent.all })) : null, " ",
    isOpen(sent) ? null : made("button", { class: "link", type: "button", onclick: () => keep(kept().filter((other) => (other.hash ?? other.id) !== (sent.hash ?? sent.id))) }, say("dismiss"))));
  element("strip").replaceChildren(...notices, ...lines);
}

// A form with one amount, or none, that asks for an act; its refusals stand under it.
export function form(label, { amount = false, optional = false, title, act, more = [], warnings = () => [] }) {
  const field = amount ? made("input", { type: "text", inputmode: "decimal", required: !optional, placeholder: optional ? say("everything") : "", autocomplete: "off" }) : null;
  const error = made("p", { class: "error", role: "alert", hidden: true });
  const button = made("button", { type: "submit" }, label);
  const whole = made("form", { class: "act" }, field && made("label", {}, say("amount"), made("br"), field), ...more, button, error);
  whole.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.hidden = true;
    button.disabled = true;
    try {
      if (await ask(title ?? label, act(field?.value.trim() ?? ""), await warnings())) whole.reset();
    } catch (fault) {
      error.textContent = reason(fault);
      error.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
  return whole;
}

