// What was earned, by day, node and source, and what may be expected.

import { form } from "./acting.js";
import { read } from "./api.js";
import { cai, made, moment, nodeLink, percent, section, table } from "./dom.js";
import { bars, lines } from "./plots.js";
import { say } from "./words.js";
import { state, wrongNetwork } from "./wallet.js";

const SOURCES = ["emission", "fees", "commission"];
const SPANS = [7, 30, 90, 365];
const CLAIMS_SHOWN = 20;
let days = 30;

export async function rewards(_, refresh) {
  if (!state.address) return { parts: [section(say("rewards"), made("p", {}, say("connectFirst")))] };
  const told = await read("/api/rewards", { address: state.address, days });
  const daily = told.projected.reduce((sum, one) => sum + Number(one.emission_cai) + Number(one.fees_cai) + Number(one.commission_cai), 0);
  const tiles = made("dl", { class: "tiles" }, ...[["earned", cai(told.earned_cai)], ["claimable", cai(told.claimable_cai)], ["expectedDay", cai(daily.toFixed(4))]]
    .map(([name, value]) => made("div", {}, made("dt", {}, say(name, { days })), made("dd", {}, value))));
  const span = made("select", { onchange: () => { days = Number(span.value); refresh(); } }, ...SPANS.map((one) => made("option", { value: one, selected: one === days }, say("lastDays", { days: one }))));
  const file = made("a", { href: `/api/rewards.csv?${new URLSearchParams({ address: state.address, days })}`, download: true }, say("asCsv"));
  const acts = state.address && !wrongNetwork() && Number(told.claimable_cai)
    ? [form(say("claimAll"), { act: () => ({ action: "claim" }) }), form(say("compound"), { act: () => ({ action: "compound" }) })] : [];
  return {
    at: told.at,
    parts: [
      section(say("rewards"), made("div", { class: "filters" }, made("label", {}, say("span"), span)), tiles, made("div", { class: "buttons" }, ...acts)),
      section(say("byDay"), ...(told.earned.length ? [bars(say("byDayLabel", { days }), SOURCES.map((one) => say(`source_${one}`)), byDay(told)), made("p", {}, file)] : [made("p", {}, say("nothingEarned"))])),
      ...(told.earned.length ? [section(say("byNode"), table(say("byNode"), [[say("node"), { left: true }], ...SOURCES.map((one) => [say(`source_${one}`)]), [say("sum")]], byNode(told)))] : []),
      ...(told.projected.length ? [section(say("projected"), made("p", { class: "hint" }, say("projectedHow")),
        table(say("projected"), [[say("node"), { left: true }], [say("as"), { left: true }], [say("active")], ...SOURCES.map((one) => [say(`source_${one}`)]), [say("yield")]],
          told.projected.map((one) => [nodeLink(one.node_id, one.name), say(one.tranche), cai(one.active_cai), cai(one.emission_cai), cai(one.fees_cai), cai(one.commission_cai), percent(one.yearly_percent)])))] : []),
      section(say("paidOut"), told.claims.length
        ? table(say("paidOut"), [[say("when"), { left: true, look: "date" }], [say("node"), { left: true }], ["CAI"], [say("transaction"), { left: true }]],
          told.claims.slice(0, CLAIMS_SHOWN).map((one) => [moment(one.time), nodeLink(one.node_id), cai(one.amount_cai), made("code", {}, one.transaction)]))
        : made("p", {}, say("nothingClaimed"))),
    ],
  };
}

// All days of the span, also those on which nothing was earned, the oldest first.
function byDay(told) {
  const sums = new Map();
  for (let at = Date.parse(told.from_day), left = days; left > 0; at += 86400000, left -= 1) sums.set(new Date(at).toISOString().slice(0, 10), SOURCES.map(() => 0));
  for (const one of told.earned) sums.get(one.date)[SOURCES.indexOf(one.source)] += Number(one.amount_cai);
  return [...sums];
}

function byNode(told) {
  const sums = new Map();
  for (const one of told.earned) {
    const row = sums.get(one.node_id) ?? sums.set(one.node_id, { name: one.name, sources: SOURCES.map(() => 0) }).get(one.node_id);
    row.sources[SOURCES.indexOf(one.source)] += Number(one.amount_cai);
  }
  return [...sums].map(([id, { name, sources }]) => [nodeLink(id, name), ...sources.map((one) => cai(one.toFixed(6))), cai(sources.reduce((sum, one) => sum + one, 0).toFixed(6))]);
}

// Charts of one node: stake, commission, income.
export async function nodeCharts(id) {
  const told = await read(`/api/nodes/${encodeURIComponent(id)}/history`, { days: 90 });
  if (!told.days.length) return [];
  const row = (...names) => told.days.map((day) => [day.date, names.map((name) => Number(day[name]))]);
  const chart = (title, drawn) => made("div", {}, made("h3", {}, title), drawn);
  return [section(say("charts"), made("div", { class: "charts" },
    chart(say("stakeChart"), lines(say("stakeChart"), [say("ownStake"), say("voted"), say("weight")], row("own_cai", "votes_cai", "weight_cai"))),
    chart(say("incomeChart"), bars(say("incomeChart"), [say("source_emission"), say("source_fees")], row("emission_cai", "fees_cai"))),
    chart(say("paidChart"), bars(say("paidChart"), [say("paid")], row("paid_cai"))),
    chart(say("commissionChart"), lines(say("commissionChart"), [say("commission")], row("commission_percent")))),
    made("details", {}, made("summary", {}, say("asTable")), table(say("charts"), [[say("day"), { left: true, look: "date" }], [say("ownStake")], [say("voted")], [say("weight")], [say("commission")], [say("source_emission")], [say("source_fees")], [say("paid")]],
      told.days.toReversed().map((day) => [day.date, cai(day.own_cai), cai(day.votes_cai), cai(day.weight_cai), `${day.commission_percent} %`, cai(day.emission_cai), cai(day.fees_cai), cai(day.paid_cai)]))))];
}
