// Disputes: a list, and one in full with its evidence, its jurors, and who paid whom.

import { read } from "./api.js";
import { badge, cai, facts, link, made, moment, nodeLink, section, table } from "./dom.js";
import { say } from "./words.js";

const PAGE = 20;
const STATES = { all: "stateAll", open: "stateOpen", past: "statePast" };
const asked = { state: "all", offset: 0 };
const ended = (one) => one.phase_ends === null;

function summary(one) {
  const last = one.rounds.at(-1);
  const lost = (Number(one.own_lost) + Number(one.votes_lost)).toLocaleString();
  const kind = ended(one) ? `sum_${one.state}` : "sum_running";
  return say(kind, { miner: one.miner, claimed: last.claimed, guilty: last.guilty, notGuilty: last.not_guilty, lost, burned: Number(one.burned).toLocaleString() });
}

const stateOf = (one) => badge(say(`phase_${one.state}`), one.state === "convicted");
const until = (one) => (one.phase_ends ? moment(one.phase_ends) : "–");

export async function disputes(id, refresh) {
  if (id) return dispute(id);
  const told = await read("/api/disputes", { ...asked, limit: PAGE });
  const choice = made("select", { onchange: () => { Object.assign(asked, { state: choice.value, offset: 0 }); refresh(); } },
    ...Object.entries(STATES).map(([value, name]) => made("option", { value, selected: asked.state === value }, say(name))));
  const step = (by) => { asked.offset += by; refresh(); };
  const to = Math.min(asked.offset + PAGE, told.total);
  const rows = told.disputes.map(row);
  return {
    at: told.at,
    parts: [section(say("disputes"), made("p", {}, say("disputesText")), made("div", { class: "filters" }, made("label", {}, say("state"), choice)),
      rows.length
        ? list(say("disputes"), rows)
        : made("p", {}, say(asked.state === "all" ? "noDisputes" : "noneInState")),
      made("div", { class: "pages" }, made("span", {}, say("page", { from: rows.length ? asked.offset + 1 : 0, to, total: told.total })),
        made("button", { type: "button", class: "quiet", disabled: asked.offset === 0, onclick: () => step(-PAGE) }, say("previous")),
        made("button", { type: "button", class: "quiet", disabled: to >= told.total, onclick: () => step(PAGE) }, say("next"))))],
  };
}

const row = (one) => [made("a", { href: `#disputes/${one.dispute}` }, say("dispute", { id: one.dispute })), nodeLink(one.miner), nodeLink(one.coordinator), stateOf(one), until(one), summary(one)];
const list = (label, rows) => table(label, [[say("disputes"), { left: true }], [say("accusedMiner")], [say("coordinator")], [say("state"), { left: true }], [say("until"), { left: true, look: "date" }], [say("outcome"), { left: true }]], rows);

// The section of a miner's page; nothing where nobody ever accused it.
export async function accused(miner) {
  const told = await read("/api/disputes", { miner, limit: 10 });
  return told.total ? [section(say("disputesOf"), list(say("disputesOf"), told.disputes.map(row)))] : [];
}

async function dispute(id) {
  const { at, detail } = await read(`/api/disputes/${encodeURIComponent(id)}`);
  const one = detail.dispute;
  const title = say("dispute", { id: one.dispute });
  const code = (text) => made("code", {}, text);
  const rounds = one.rounds.map((round, number) => [`${number + 1}`, moment(round.started_at), `${round.expected}`, `${round.claimed}`, `${round.guilty}`, `${round.not_guilty}`, `${round.abstained}`]);
  const jurors = detail.jurors.map((juror) => [`${juror.round}`, nodeLink(juror.miner), `${juror.seats}`, say(`said_${juror.said.replace(" ", "_")}`), cai(juror.paid), cai(juror.fined), code(juror.digest || "–")]);
  const flows = detail.flows.map((flow) => [say(`flow_${flow.kind}`), who(flow.who), cai(flow.amount), code(flow.transaction)]);
  return {
    at,
    title,
    parts: [
      section(title, made("p", {}, stateOf(one), " ", summary(one)), facts(
        [say("until"), until(one)], [say("accusedMiner"), nodeLink(one.miner)], [say("coordinator"), nodeLink(one.coordinator)],
        [say("accuser"), code(one.accuser)], [say("bond"), cai(one.bond), " CAI"],
        one.appellant && [say("appellant"), code(one.appellant), ` (${say("bond")} `, cai(one.appeal_bond), " CAI)"])),
      section(say("rounds"), table(say("rounds"), [[say("round"), { left: true }], [say("when"), { left: true, look: "date" }], [say("expected")], [say("claimed")], [say("guilty")], [say("notGuilty")], [say("abstained")]], rounds)),
      section(say("jurors"), jurors.length
        ? table(say("jurors"), [[say("round"), { left: true }], [say("miner")], [say("seats")], [say("said"), { left: true }], [say("paidTo")], [say("fined")], [say("digest"), { left: true }]], jurors)
        : made("p", {}, say("noJurors"))),
      section(say("money"), table(say("money"), [[say("kind"), { left: true }], [say("who"), { left: true }], ["CAI"], [say("transaction"), { left: true }]], flows)),
      section(say("evidence"), detail.evidence ? proof(detail) : made("p", {}, say("noEvidence"))),
    ],
  };
}

const who = (text) => (text.startsWith("node ") ? nodeLink(Number(text.slice(5))) : made("code", {}, text || "–"));

function proof({ evidence, shown_at: shownAt }) {
  const profile = evidence.profile;
  const code = (text) => made("code", {}, text);
  return facts([say("task"), code(evidence.task)], [say("parametersHash"), code(evidence.parameters_hash)],
    [say("pictureHashes"), ...evidence.pictures.flatMap((one) => [code(one), made("br")])],
    [say("profile"), `${profile.device}, ${profile.dtype}, torch ${profile.torch}`], [say("finishedAt"), moment(evidence.finished_at)],
    shownAt && [say("shownAt"), link(shownAt)]);
}
