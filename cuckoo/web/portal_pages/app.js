// The frame: which screen, which wallet, which language and colours.

import * as acting from "./acting.js";
import { read } from "./api.js";
import { disputes } from "./disputes.js";
import { element, made, moment, reason } from "./dom.js";
import { register } from "./register.js";
import { rewards } from "./rewards.js";
import * as screens from "./screens.js";
import { say, speak } from "./words.js";
import * as wallet from "./wallet.js";

const NAMES = ["overview", "nodes", "stake", "rewards", "register", "disputes", "network"];
const SCREENS = { ...screens, register, rewards, disputes };
const LOOK_MS = 12000;
const STARTING_MS = 2000; // the server reads what has happened on the chain
let shown = 0;

function place() {
  const [name, argument] = location.hash.slice(1).split("/");
  return name === "node" || NAMES.includes(name) ? [name, argument] : [NAMES[0]];
}

async function render({ quietly = false } = {}) {
  const mine = ++shown;
  const [name, argument] = place();
  const view = element("view");
  element("nav").replaceChildren(...NAMES.map((one) => made("a", { href: `#${one}`, "aria-current": one === name || (one === "nodes" && name === "node") ? "page" : null }, say(one))));
  if (!quietly) view.replaceChildren(made("section", { "aria-busy": "true" }, made("div", { class: "wait" })));
  try {
    const { parts, at, title } = await SCREENS[name](argument, () => render({ quietly: true }));
    if (mine !== shown) return;
    view.replaceChildren(...notices(), ...parts);
    document.title = `${title ?? say(name)} · ${say("brand")}`;
    element("at").textContent = at ? say("at", { block: at.block.toLocaleString(), time: moment(at.time) }) : "";
  } catch (error) {
    if (mine !== shown) return;
    if (error.status === 503) setTimeout(() => { if (mine === shown) render({ quietly: true }); }, STARTING_MS);
    const again = made("button", { type: "button", onclick: () => render() }, say("again"));
    view.replaceChildren(made("section", {}, made("p", { class: "error", role: "alert" }, reason(error)), again));
  }
}

function notices() {
  if (!wallet.wrongNetwork()) return [];
  const { chain, session } = wallet.state;
  const button = made("button", { type: "button", onclick: () => wallet.switchNetwork().catch((error) => tell(error)) }, say("switchTo"));
  return [made("section", { role: "alert" }, made("p", { class: "error" }, say("wrongNetwork", { chain, wanted: session.chain_id })), button)];
}

const tell = (error) => acting.notice(error.code === 4001 ? say("refusedInWallet") : reason(error));

function showWallet() {
  const { address, session } = wallet.state;
  const button = element("wallet");
  const short = address ? `${address.slice(0, 6)}…${address.slice(-4)}` : "";
  button.textContent = !address ? say("connect") : session.signing === "key" ? say("signsHere", { address: short }) : short;
  button.disabled = session.signing === "key";
}

function choose() {
  const dialog = element("ask");
  const { wallets, address } = wallet.state;
  const close = made("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, say("cancel"));
  const one = (detail) => made("p", {}, made("button", { type: "button", onclick: () => { dialog.close(); wallet.use(detail).catch(tell); } }, detail.info.name));
  const forget = address ? [made("button", { type: "button", class: "quiet", onclick: () => { dialog.close(); wallet.forget(); } }, say("forgetWallet"))] : [];
  dialog.replaceChildren(made("h2", { id: "ask-title" }, say("chooseWallet")), ...(wallets.size ? [...wallets.values()].map(one) : [made("p", {}, say("noWallet"))]), made("p", { class: "buttons" }, ...forget, close));
  dialog.showModal();
}

function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function preferences() {
  const language = element("language");
  const theme = element("theme");
  language.value = localStorage.getItem("language") ?? (navigator.language.startsWith("ko") ? "ko" : "en");
  theme.value = localStorage.getItem("theme") ?? "auto";
  speak(language.value);
  setTheme(theme.value);
  language.addEventListener("change", () => { localStorage.setItem("language", language.value); speak(language.value); showWallet(); acting.show(); render(); });
  theme.addEventListener("change", () => { localStorage.setItem("theme", theme.value); setTheme(theme.value); });
}

// Nobody who writes into a form, or reads a question, loses it to fresh numbers.
const touched = (one) => one.defaultValue !== undefined && one.value !== one.defaultValue;
const busy = () => element("ask").open || ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement?.tagName)
  || [...document.querySelectorAll("main form")].some((form) => [...form.elements].some(touched) || form.querySelector(".error:not([hidden])"));

async function start() {
  preferences();
  element("wallet").addEventListener("click", choose);
  window.addEventListener("hashchange", () => { render(); element("view").focus({ preventScroll: true }); });
  wallet.onChange(() => { showWallet(); render({ quietly: true }); acting.follow(); });
  acting.onDone(() => { if (!busy()) render({ quietly: true }); });
  try {
    wallet.begin(await read("/api/session"));
  } catch (error) {
    element("view").replaceChildren(made("section", {}, made("p", { class: "error", role: "alert" }, reason(error)), made("button", { type: "button", onclick: () => location.reload() }, say("again"))));
    return;
  }
  showWallet();
  acting.show();
  acting.follow();
  listen();
  document.addEventListener("visibilitychange", listen);
  await render();
  setInterval(() => { if (!busy() && !document.hidden) render({ quietly: true }); }, LOOK_MS);
}

// New blocks: the page is drawn anew when something happened in one, and a slash or a higher commission is said at once.
const GRAVE = { Slashed: "newsSlashed", CommissionAnnounced: "newsCommission" };
let news = null;

function listen() {
  news?.close();
  news = null;
  if (document.hidden) return;
  news = new EventSource("/api/events");
  news.addEventListener("message", ({ data }) => {
    const { happened } = JSON.parse(data);
    const [name, id] = place();
    for (const [node, kind] of happened) if (GRAVE[kind] && name === "node" && Number(id) === node) acting.notice(say(GRAVE[kind], { node }));
    if (happened.length && !busy()) render({ quietly: true });
  });
}

start();
