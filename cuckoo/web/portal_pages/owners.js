// What a node's owner does on its page.

import { form } from "./acting.js";
import { made, section } from "./dom.js";
import { say } from "./words.js";
import { state } from "./wallet.js";

const field = (kind, attributes = {}, ...children) => made(kind, { autocomplete: "off", ...attributes }, ...children);
const labelled = (text, one) => made("label", {}, text, made("br"), one);

// Introduction fields, filled with what a node says now; the second value reads them.
export function profile(words = {}, links = []) {
  const fields = {
    name: field("input", { type: "text", name: "name", required: true, maxlength: 60, value: words.name ?? "" }),
    text: field("input", { type: "text", name: "text", value: words.text ?? "" }),
    url: field("input", { type: "text", name: "url", placeholder: "https://", value: words.url ?? "" }),
    location: field("input", { type: "text", name: "location", value: words.location ?? "" }),
    links: field("textarea", { name: "links", rows: 2, spellcheck: "false" }, links.join("\n")),
  };
  const titles = { name: "name", text: "intro", url: "url", location: "location", links: "linksByLine" };
  const shown = made("div", {}, ...Object.entries(fields).map(([name, one]) => labelled(say(titles[name]), one)));
  const read = () => ({
    ...Object.fromEntries(["name", "text", "url", "location"].map((name) => [name, fields[name].value.trim()])),
    links: fields.links.value.split("\n").map((one) => one.trim()).filter(Boolean),
  });
  return [shown, read];
}

// What cuckoo stake consent printed; throws where it is something else.
export function consentIn(text) {
  let given;
  try { given = JSON.parse(text); } catch { throw new Error(say("badConsent")); }
  if (!given?.signature) throw new Error(say("badConsent"));
  return given;
}

const one = (title, label, more, act) => made("div", {}, made("h3", {}, title), form(label, { title, more, act }));

export function owning({ node: row, introduction, links, payee, pending_owner: pending }) {
  const node_id = row.node_id;
  if (pending && pending === state.address) {
    return [section(say("offered"), made("p", {}, say("offeredText")), form(say("accept"), { act: () => ({ action: "accept", node_id }) }))];
  }
  if (row.owner !== state.address) return [];
  const [words, introductionIn] = profile(introduction, links);
  const commission = field("input", { type: "text", inputmode: "decimal", required: true, value: row.commission_percent });
  const payeeIn = field("input", { type: "text", required: true, placeholder: "0x", value: payee ?? "" });
  const owner = field("input", { type: "text", required: true, placeholder: "0x", value: pending ?? "" });
  const consent = field("textarea", { rows: 3, required: true, spellcheck: "false" });
  const command = made("pre", { tabindex: "0" }, made("code", {}, `cuckoo keys new rig2\ncuckoo stake consent --role ${row.role} --operator rig2 --owner ${state.address}`));
  return [section(say("yourNode"),
    made("p", {}, say("startIt"), " ", made("code", {}, `cuckoo ${row.role} --key rig`)),
    row.jailed_until ? one(say("unjail"), say("unjail"), [], () => ({ action: "unjail", node_id })) : null,
    one(say("introduceAnew"), say("introduce"), [words], () => ({ action: "introduce", node_id, introduction: introductionIn() })),
    one(say("setCommission"), say("setCommission"), [labelled(say("commissionPercent"), commission)], () => ({ action: "commission", node_id, percent: commission.value.trim() })),
    one(say("setPayee"), say("setPayee"), [labelled(say("payee"), payeeIn)], () => ({ action: "payee", node_id, payee: payeeIn.value.trim() })),
    one(say("rotate"), say("rotate"), [made("div", {}, made("p", {}, say("rotateText")), command, labelled(say("consent"), consent))], () => ({ action: "rotate_operator", node_id, consent: consentIn(consent.value) })),
    one(say("transfer"), say("transfer"), [labelled(say("newOwner"), owner)], () => ({ action: "transfer", node_id, new_owner: owner.value.trim() })))];
}
