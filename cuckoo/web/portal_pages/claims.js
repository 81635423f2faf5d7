// What coordinators say about miners, always marked as such, and nodes side by side.

import { cai, facts, made, moment, nodeLink, percent, section, table } from "./dom.js";
import { svg } from "./plots.js";
import { say } from "./words.js";

const COMPARED_MAX = 4;
const chosen = new Map();

const count = (number) => number.toLocaleString(undefined, { maximumFractionDigits: 1 });
const speedOf = (claims) => (claims?.speed ? count(claims.speed) : "–");
const successOf = (claims) => (claims?.success_percent ? `${claims.success_percent} %` : "–");
const auditsOf = (claims) => (claims ? `${count(claims.audits_passed)} / ${count(claims.audits_failed)}` : "–");
const marked = (text) => made("span", { class: "claim" }, text);

// The cells of a row of the list; their columns are tasks, success, speed, audits, device.
export const claimCells = ({ claims }) => [claims ? count(claims.tasks_done) : "–", successOf(claims), speedOf(claims), auditsOf(claims), claims?.device || "–"].map(marked);

// A box that takes a node into the comparison.
export function chooser(row, changed) {
  const label = say("compareThis", { name: row.name || row.node_id });
  const box = made("input", { type: "checkbox", "aria-label": label, checked: chosen.has(row.node_id), onchange: () => {
    if (!box.checked) chosen.delete(row.node_id);
    else if (chosen.size < COMPARED_MAX) chosen.set(row.node_id, row);
    else box.checked = false;
    changed();
  } });
  return box;
}

// The chosen nodes side by side; nothing while fewer than two are.
export function comparison(rows) {
  for (const row of rows) if (chosen.has(row.node_id)) chosen.set(row.node_id, row);
  if (!chosen.size) return made("p", { class: "hint" }, say("compareHow", { most: COMPARED_MAX }));
  const nodes = [...chosen.values()];
  const line = (title, value) => [title, ...nodes.map(value)];
  return made("div", {}, made("h3", {}, say("compare")), table(say("compare"),
    [[say("node"), { left: true }], ...nodes.map((one) => [one.name || `${one.node_id}`, { head: nodeLink(one.node_id, one.name) }])],
    [
      line(say("role"), (one) => say(one.role)), line(say("weight"), (one) => cai(one.weight_cai)), line(say("ownStake"), (one) => cai(one.own_cai)), line(say("voted"), (one) => cai(one.votes_cai)),
      line(say("commission"), (one) => `${one.commission_percent} %`), line(say("maxCommissionShort"), (one) => `${one.max_commission_percent} %`),
      line(say("yield"), (one) => percent(one.yield_percent)), line(say("ofItFees"), (one) => percent(one.fees_percent)), line(say("slashes"), (one) => `${one.slashes}`),
      line(`${say("tasks")} *`, (one) => claimCells(one)[0]), line(`${say("success")} *`, (one) => claimCells(one)[1]), line(`${say("speed")} *`, (one) => claimCells(one)[2]),
      line(`${say("audits")} *`, (one) => claimCells(one)[3]), line(`${say("device")} *`, (one) => claimCells(one)[4]),
    ]));
}

// How often a miner was drawn against the sum of its odds, with two standard deviations on each side.
function drawnBar({ drawn, odds_sum: odds, odds_variance: variance }) {
  const spread = 2 * Math.sqrt(variance);
  const most = Math.max(drawn, odds + spread, 1) * 1.05;
  const at = (value) => `${(100 * Math.max(0, value)) / most}%`;
  const label = say("drawnAgainst", { drawn: count(drawn), odds: count(odds), spread: count(spread) });
  const picture = svg("svg", { role: "img", "aria-label": label, width: "100%", height: 46 });
  picture.append(svg("rect", { class: "band", x: at(odds - spread), width: `${(100 * (Math.min(odds, spread) + spread)) / most}%`, y: 6, height: 34 }),
    svg("rect", { class: "kind0", x: 0, width: at(drawn), y: 15, height: 16 }),
    svg("line", { class: "even", x1: at(odds), x2: at(odds), y1: 2, y2: 44 }));
  return made("figure", { class: "plot wide" }, picture, made("figcaption", { class: "hint" }, label));
}

// The section of a node's page; nothing where no coordinator says anything.
export function claimed({ node: row, claims_by: by }) {
  const { claims } = row;
  if (!claims) return [];
  const rows = by.map((one) => [nodeLink(one.coordinator), count(one.claims.drawn), count(one.claims.odds_sum), count(one.claims.tasks_done), successOf(one.claims), speedOf(one.claims), auditsOf(one.claims), moment(one.claims.as_of)]);
  return [section(say("claimedTitle"), made("p", { class: "hint" }, say("claimedHow")),
    facts([say("tasks"), count(claims.tasks_done)], [say("success"), successOf(claims)], [say("speed"), speedOf(claims)], [say("device"), claims.device || "–"], [say("audits"), auditsOf(claims)]),
    made("h3", {}, say("fairness")), drawnBar(claims),
    table(say("claimedTitle"), [[say("coordinator")], [say("drawn")], [say("oddsSum")], [say("tasks")], [say("success")], [say("speed")], [say("audits")], [say("when"), { left: true, look: "date" }]], rows))];
}
