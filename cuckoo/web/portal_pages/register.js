// Registering a node: three steps, each of which says what is still missing.

import { form } from "./acting.js";
import { read } from "./api.js";
import { made, moment, section } from "./dom.js";
import { consentIn, profile } from "./owners.js";
import { say } from "./words.js";
import { state, wrongNetwork } from "./wallet.js";

const labelled = (text, one) => made("label", {}, text, made("br"), one);

// What a step lacks, one sentence each; nothing where it is complete.
function lacks({ idle, minimum, role, amount, consent, words }) {
  const wanted = Number(amount || minimum);
  const stake = [];
  if (!(wanted >= Number(minimum))) stake.push(say("lessThanMinimum", { minimum: Number(minimum).toLocaleString() }));
  if (!(Number(idle) >= wanted)) stake.push(say("idleTooLow", { missing: (wanted - Number(idle)).toLocaleString() }));
  const key = [];
  try {
    const given = consentIn(consent);
    if (given.deadline * 1000 < Date.now()) key.push(say("consentOver", { time: moment(given.deadline) }));
  } catch (error) {
    key.push(consent ? error.message : say("consentMissing"));
  }
  const introduction = [];
  if (!words.name) introduction.push(say("nameMissing"));
  if (role === "coordinator" && !words.url) introduction.push(say("urlMissing"));
  return { stake, key, introduction };
}

export async function register() {
  const rules = state.session.parameters;
  const minimums = { miner: rules.miner_minimum_cai, coordinator: rules.coordinator_minimum_cai };
  const intro = made("p", {}, say("registerText", { miner: Number(minimums.miner).toLocaleString(), coordinator: Number(minimums.coordinator).toLocaleString() }));
  if (!state.address || wrongNetwork()) return { parts: [section(say("registerTitle"), intro, made("p", {}, say("connectFirst")))] };
  const told = await read("/api/overview", { address: state.address });
  const input = (name, attributes = {}) => made("input", { type: "text", autocomplete: "off", inputmode: "decimal", ...attributes, name });
  const role = made("select", {}, made("option", { value: "miner" }, say("miner")), made("option", { value: "coordinator" }, say("coordinator")));
  const [words, introductionIn] = profile();
  const [amount, commission, most] = [input("amount"), input("commission", { value: "10" }), input("most", { value: "20" })];
  const consent = made("textarea", { rows: 3, required: true, spellcheck: "false" });
  const [command, starting] = [made("code"), made("code")];
  const checks = Object.fromEntries(["stake", "key", "introduction"].map((name) => [name, made("p", { class: "check", role: "status" })]));
  const look = () => {
    starting.textContent = `cuckoo ${role.value} --key rig`;
    command.textContent = `cuckoo keys new rig\ncuckoo stake consent --role ${role.value} --operator rig --owner ${state.address}`;
    const found = lacks({ idle: told.idle_cai, minimum: minimums[role.value], role: role.value, amount: amount.value.trim(), consent: consent.value, words: introductionIn() });
    for (const [name, missing] of Object.entries(found)) checks[name].textContent = missing.length ? missing.join(" ") : `✓ ${say("stepDone")}`;
  };
  const whole = form(say("register"), {
    title: say("registerTitle"),
    more: [
      made("div", {}, made("h3", {}, say("stepStake")), made("p", {}, say("haveIdle", { cai: told.idle_cai })), labelled(say("role"), role), labelled(say("ownAmount"), amount), checks.stake),
      made("div", {}, made("h3", {}, say("stepKey")), made("p", {}, say("consentText")), made("pre", { tabindex: "0" }, command), labelled(say("consent"), consent), checks.key),
      made("div", {}, made("h3", {}, say("stepProfile")), words, labelled(say("commissionPercent"), commission), labelled(say("maxCommission"), most), checks.introduction),
      made("p", {}, say("startIt"), " ", starting),
    ],
    act: () => ({ action: "register", role: role.value, consent: consentIn(consent.value), introduction: introductionIn(), amount: amount.value.trim(), commission_percent: commission.value, max_commission_percent: most.value }),
  });
  whole.addEventListener("input", look);
  look();
  return { at: told.at, parts: [section(say("registerTitle"), intro, whole)] };
}
