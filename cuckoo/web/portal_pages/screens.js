// The screens. Each returns what stands in the page; what it throws is told in its place.

import { form } from "./acting.js";
import { read } from "./api.js";
import { chooser, claimCells, claimed, comparison } from "./claims.js";
import { accused } from "./disputes.js";
import { badge, cai, facts, lasting, link, made, moment, nodeLink, percent, reason, section, table } from "./dom.js";
import { bars } from "./plots.js";
import { owning } from "./owners.js";
import { nodeCharts } from "./rewards.js";
import { say } from "./words.js";
import { state, wrongNetwork } from "./wallet.js";

const PAGE = 25;
const roleOf = (row) => say(row.role);
const canSign = () => state.address !== null && !wrongNetwork();

function flags(row) {
  const found = [];
  if (row.commission_rising) found.push(badge(say("rising", { percent: row.commission_rising.to_percent, time: moment(row.commission_rising.at) })));
  if (row.slashes) found.push(badge(say("slashed")));
  if (row.jailed_until) found.push(badge(say("jailed")));
  else if (!row.eligible) found.push(badge(say("weightless")));
  return found.length ? found : [badge(say("fine"), false)];
}

export async function overview() {
  if (!state.address) return { parts: [section(say("overview"), made("p", {}, say("connectFirst")), made("p", {}, made("a", { href: "#nodes" }, say("whomToVote"))))] };
  const told = await read("/api/overview", { address: state.address });
  const tiles = made("dl", { class: "tiles" }, ...[["wallet", cai(told.wallet_cai)], ["idle", cai(told.idle_cai)], ["rewards", cai(told.rewards_cai)], ["gas", cai(told.native)]]
    .map(([name, value]) => made("div", {}, made("dt", {}, say(name)), made("dd", {}, value))));
  const stakes = told.stakes.map((one) => [nodeLink(one.node_id, one.name), say(one.role), say(one.tranche), cai(one.active_cai), cai(one.rewards_cai), percent(one.yearly_percent),
    one.warnings.map((kind) => badge(say(kind)))]);
  const out = told.unbonding.map((one) => [nodeLink(one.node_id), say(one.tranche), cai(one.amount_cai), one.free ? say("freeNow") : moment(one.free_at)]);
  const owned = told.owned.length ? [section(say("yourNodes"), made("p", {}, ...told.owned.flatMap((id) => [nodeLink(id), " "])))] : [];
  const acts = [];
  if (canSign() && Number(told.rewards_cai)) {
    acts.push(form(say("claimAll"), { act: () => ({ action: "claim" }) }), form(say("compound"), { act: () => ({ action: "compound" }) }));
  }
  if (canSign() && told.unbonding.some((one) => one.free)) acts.push(form(say("release"), { act: () => ({ action: "release" }) }));
  return {
    at: told.at,
    parts: [
      section(say("overview"), made("p", { class: "hint" }, made("code", {}, told.staker)), tiles, made("div", { class: "buttons" }, ...acts)),
      ...owned,
      section(say("behind"), stakes.length
        ? table(say("behind"), [[say("node"), { left: true }], [say("role"), { left: true }], [say("as"), { left: true }], [say("active")], [say("rewards")], [say("yearly")], [say("warnings"), { left: true }]], stakes)
        : made("p", {}, say("nothingBehind"), " ", made("a", { href: "#nodes" }, say("whomToVote")))),
      section(say("out"), out.length
        ? table(say("out"), [[say("node"), { left: true }], [say("as"), { left: true }], [say("active")], [say("free")]], out)
        : made("p", {}, say("nothingOut"))),
    ],
  };
}

const asked = { role: "all", sort: "weight", order: "desc", search: "", eligible: "0", offset: 0 };
const SORTED = { name: "name", weight: "weight", own: "ownStake", votes: "voted", commission: "commission", yield: "yield", slashes: "slashes", tasks: "tasks", success: "success", speed: "speed", audits: "audits" };
const CLAIMED = ["tasks", "success", "speed", "audits"];

export async function nodes() {
  const list = made("div", {}, made("div", { class: "wait" }));
  let at = null;
  let latest = 0;

  async function fill() {
    const mine = ++latest;
    const told = await read("/api/nodes", { ...asked, limit: PAGE });
    if (mine !== latest) return;
    at = told.at;
    const column = (sort) => {
      const sorted = asked.sort === sort ? (asked.order === "desc" ? "descending" : "ascending") : null;
      const turn = () => {
        asked.order = asked.sort === sort && asked.order === "desc" ? "asc" : "desc";
        Object.assign(asked, { sort, offset: 0 });
        again();
      };
      return [say(SORTED[sort]), { left: sort === "name", sorted, head: made("button", { type: "button", onclick: turn }, say(SORTED[sort]), CLAIMED.includes(sort) ? " *" : "", sorted ? (asked.order === "desc" ? " ↓" : " ↑") : "") }];
    };
    const compared = made("div", {}, comparison(told.nodes));
    const changed = () => compared.replaceChildren(comparison(told.nodes));
    const rows = told.nodes.map((row) => [chooser(row, changed), nodeLink(row.node_id, row.name), roleOf(row), cai(row.weight_cai), cai(row.own_cai), cai(row.votes_cai),
      [`${row.commission_percent} %`, made("br"), made("span", { class: "hint" }, say("atMost", { percent: row.max_commission_percent }))], percent(row.yield_percent), `${row.slashes}`, flags(row), ...claimCells(row)]);
    const columns = [[say("compare"), { left: true }], column("name"), [say("role"), { left: true }], column("weight"), column("own"), column("votes"), column("commission"), column("yield"), column("slashes"), [say("state"), { left: true }], ...CLAIMED.map(column), [`${say("device")} *`, { left: true }]];
    const to = Math.min(asked.offset + PAGE, told.total);
    const step = (by) => { asked.offset += by; again(); };
    list.replaceChildren(
      rows.length ? table(say("nodes"), columns, rows) : made("p", {}, say("noNodes")),
      made("p", { class: "hint" }, `* ${say("claimedHow")} `, say("yieldHow")),
      compared,
      made("div", { class: "pages" }, made("span", {}, say("page", { from: rows.length ? asked.offset + 1 : 0, to, total: told.total })),
        made("button", { type: "button", class: "quiet", disabled: asked.offset === 0, onclick: () => step(-PAGE) }, say("previous")),
        made("button", { type: "button", class: "quiet", disabled: to >= told.total, onclick: () => step(PAGE) }, say("next"))),
    );
  }

  const again = () => fill().catch((error) => list.replaceChildren(made("p", { class: "error", role: "alert" }, reason(error))));
  const choice = (name, values) => {
    const field = made("select", { onchange: () => { asked[name] = field.value; asked.offset = 0; again(); } }, ...values.map(([value, text]) => made("option", { value, selected: asked[name] === value }, text)));
    return field;
  };
  const search = made("input", { type: "search", value: asked.search, oninput: () => { asked.search = search.value; asked.offset = 0; again(); } });
  const tick = made("input", { type: "checkbox", checked: asked.eligible === "1", onchange: () => { asked.eligible = tick.checked ? "1" : "0"; asked.offset = 0; again(); } });
  await fill();
  return {
    at,
    parts: [section(say("nodes"), made("div", { class: "filters" },
      made("label", {}, say("search"), search),
      made("label", {}, say("role"), choice("role", [["all", say("all")], ["miner", say("miner")], ["coordinator", say("coordinator")]])),
      made("label", { class: "tick" }, tick, say("eligibleOnly"))), list)],
  };
}

export async function node(id) {
  const [told, charts, disputed] = await Promise.all([read(`/api/nodes/${encodeURIComponent(id)}`), nodeCharts(id), accused(id)]);
  const row = told.node;
  const name = row.name || `${say("node")} ${row.node_id}`;
  const warnings = against(told);
  const acts = canSign() ? [
    ...warnings.map((text) => made("p", { class: "error" }, text)),
    made("h3", {}, say("votesFor", { name })), form(say("vote"), { amount: true, warnings: async () => against(await read(`/api/nodes/${row.node_id}`)), title: say("votesFor", { name }), act: (amount) => ({ action: "vote", node_id: row.node_id, amount }) }),
    made("h3", {}, say("unvoteFrom", { name })), form(say("unvote"), { amount: true, optional: true, title: say("unvoteFrom", { name }), act: (amount) => ({ action: "unvote", node_id: row.node_id, amount }) }),
    made("div", { class: "buttons" }, form(say("revote"), { act: () => ({ action: "revote", node_id: row.node_id }) }), form(say("claim"), { act: () => ({ action: "claim", node_id: row.node_id }) }), moving(row.node_id)),
  ] : [made("p", {}, say("connectFirst"))];
  const words = told.introduction;
  const history = told.events.map((event) => [say(`did_${event.kind}`), moment(event.time), `${event.block}`, detail(event.numbers)]);
  return {
    at: told.at,
    title: name,
    parts: [
      section(name, made("p", {}, ...flags(row)), facts(
        [say("role"), roleOf(row)], [say("weight"), cai(row.weight_cai)], [say("ownStake"), cai(row.own_cai)], [say("voted"), cai(row.votes_cai)],
        [say("commission"), `${row.commission_percent} %, ${say("atMost", { percent: row.max_commission_percent })}`], [say("yield"), percent(row.yield_percent)],
        [say("unbonding"), cai(told.unbonding_own_cai), " / ", cai(told.unbonding_votes_cai)], [say("floor"), cai(told.floor_cai)],
        [say("owner"), made("code", {}, row.owner)], [say("operator"), made("code", {}, row.operator)])),
      section(say("vote"), ...acts),
      ...(canSign() ? owning(told) : []),
      ...charts,
      ...claimed(told),
      ...disputed,
      section(say("ownWords"), made("p", { class: "hint" }, say("claims")), made("p", { class: "words" }, words.text || "–"),
        facts(words.location && [say("location"), words.location], words.url && [say("url"), link(words.url)], told.links.length && [say("links"), ...told.links.flatMap((one) => [link(one), made("br")])])),
      section(say("history"), history.length ? table(say("history"), [[say("kind"), { left: true }], [say("when"), { left: true, look: "date" }], [say("block")], [say("numbers"), { left: true }]], history) : made("p", {}, say("nothingHappened"))),
    ],
  };
}

// What speaks against voting for a node, in sentences: facts of the chain.
function against({ node: row, events }) {
  const found = [];
  if (row.commission_rising) found.push(say("warn_rising", { now: row.commission_percent, percent: row.commission_rising.to_percent, time: moment(row.commission_rising.at) }));
  const commissions = events.filter(({ kind }) => ["Registered", "CommissionChanged"].includes(kind)).map(({ numbers, time }) => [Number(numbers.commissionBps), time]);
  if (commissions.length > 1 && commissions[0][0] > commissions[1][0]) found.push(say("warn_risen", { before: commissions[1][0] / 100, now: commissions[0][0] / 100, time: moment(commissions[0][1]) }));
  const slashed = events.filter(({ kind }) => kind === "Slashed");
  if (slashed.length) found.push(say("warn_slashed", { count: row.slashes, time: moment(slashed[0].time) }));
  return found;
}

// What people want to know of an event; the rest is on the chain.
function detail({ amount, staker, operator, commissionBps, ownLoss, votesLoss, owner, payee }) {
  const found = [];
  if (amount) found.push(cai(amount), " CAI");
  if (ownLoss) found.push(`${say("own")}: `, cai(ownLoss), " CAI");
  if (votesLoss) found.push(`, ${say("votes")}: `, cai(votesLoss), " CAI");
  if (commissionBps) found.push(`${found.length ? ", " : ""}${say("commission")} ${Number(commissionBps) / 100} %`);
  for (const who of [staker, operator, owner, payee].filter(Boolean).slice(0, 1)) found.push(found.length ? ", " : "", made("code", {}, who));
  return found;
}

function moving(from) {
  const to = made("input", { type: "text", inputmode: "numeric", required: true });
  return form(say("move"), { more: [made("label", {}, say("toNode"), made("br"), to)], act: () => ({ action: "move", from_node: from, to_node: Number(to.value) }) });
}

export async function stake() {
  if (!canSign()) return { parts: [section(say("stake"), made("p", {}, say("connectFirst")))] };
  const told = await read("/api/overview", { address: state.address });
  const parts = [
    section(say("deposit"), facts([say("wallet"), cai(told.wallet_cai)]), made("p", {}, say("depositText")), form(say("deposit"), { amount: true, act: (amount) => ({ action: "deposit", amount }) })),
    section(say("withdraw"), facts([say("idle"), cai(told.idle_cai)]), made("p", {}, say("withdrawText")), form(say("withdraw"), { amount: true, optional: true, act: (amount) => ({ action: "withdraw", amount }) })),
  ];
  if (state.session.test_network) parts.push(section(say("faucet"), made("p", {}, say("faucetText")), form(say("faucet"), { act: () => ({ action: "faucet" }) })));
  return { at: told.at, parts };
}

export async function network() {
  const told = await read("/api/stats");
  const { session } = state;
  const rows = ["miner", "coordinator"].map((role) => [say(role), `${told.nodes[role]}`, `${told.eligible[role]}`, cai(told.weight_cai[role]), cai(told.emission_per_day_cai[role]), cai(told.reserve_cai[role])]);
  const rules = session.parameters;
  return {
    at: told.at,
    parts: [
      section(say("network"), made("p", {}, `${session.network}, chain ${session.chain_id}`),
        table(say("network"), [[say("role"), { left: true }], [say("nodesHere")], [say("eligibleHere")], [say("total")], [say("emission")], [say("reserve")]], rows)),
      section(say("claimedTitle"), made("p", { class: "hint" }, say("claimedHow")), facts([say("tasks"), told.claimed_tasks.toLocaleString()], [say("pictures"), told.claimed_pictures.toLocaleString()], [say("draws"), told.claimed_draws.toLocaleString()])),
      section(say("payments"), bars(say("payments"), [say("paid")], Object.entries(told.paid_cai_by_day).map(([day, amount]) => [day, [Number(amount)]]))),
      section(say("rules"), facts([say("unbondingTime"), lasting(rules.unbonding_s)], [say("notice"), lasting(rules.commission_notice_s)], [say("jail"), lasting(rules.jail_s)],
        [say("slash"), `${rules.slash_percent} %`], [say("proven"), `${rules.slash_proven_percent} %`])),
      section(say("contracts"), facts(...Object.entries(session.contracts).map(([name, address]) => [name, made("code", {}, address)]))),
    ],
  };
}

