"""Commands of ``cuckoo stake`` that show what has happened: what was earned, and a node with its last days."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.options import Place, chain_options, examples, json_option, key_options, place_options
from cuckoo.cli.output import as_builtins, note, plain, print_json, print_table, shortened
from cuckoo.cli.wallet import find_address
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuckoo.chain.rpc import ChainClient
    from cuckoo.protocol.portal import EventRow, NodeClaims, NodeView, Stats
    from cuckoo.protocol.portal_income import NodeHistory, Rewards
    from cuckoo.services.staking.history import History
    from cuckoo.services.staking.shelf import NodeShelf

EVENTS_SHOWN = 20
ADDRESS_LENGTH = 42


def days_option(default: int) -> "Callable[[Callable[..., Any]], Callable[..., Any]]":
    """Make the option that says how many days are shown."""
    days = click.IntRange(1, 366)
    return click.option("--days", type=days, default=default, show_default=True, help="Today (UTC) and those before.")


@dataclass(frozen=True)
class Past:
    """What has happened on a network, read up to now."""

    client: "ChainClient"
    shelf: "NodeShelf"
    history: "History"


@asynccontextmanager
async def open_past(place: Place, *, asking: bool = False) -> AsyncIterator[Past]:
    """Connect, and read what has happened since the last time; ``asking``: ask coordinators for their claims too."""
    from cuckoo.roles.chain import open_chain
    from cuckoo.services.staking.claims import Claims, connector
    from cuckoo.services.staking.history import History
    from cuckoo.services.staking.shelf import NodeShelf
    from cuckoo.storage.chronicle import Chronicle, chronicle_path

    network = place.read_network()
    async with open_chain(network, place.rpc) as chain:
        with closing(Chronicle(chronicle_path(place.data_dir, network.name))) as chronicle:
            history = History(chain.client, chronicle)
            await history.advance()
            claims = Claims(chronicle, connector(network), chain.clock, network.chain_id)
            await claims.start()
            shelf = NodeShelf(chain.client, chain.registry, history, claims)
            if asking:
                await claims.look(shelf.coordinators())
            yield Past(client=chain.client, shelf=shelf, history=history)


@click.command(
    epilog=examples("cuckoo stake rewards alice", "cuckoo stake rewards alice --days 90 --csv > rewards.csv")
)
@click.argument("who", default="")
@click.option(
    "--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Today (UTC) and those before."
)
@click.option("--csv", "as_csv", is_flag=True, help="By day, node and source, as CSV.")
@key_options
@json_option
@chain_options
@place_options
def rewards(place: Place, who: str, days: int, *, as_csv: bool, as_json: bool) -> None:
    """Show what WHO has earned, claimed or not, and what may be expected. Needs no password.

    The first time it reads what has happened on the chain since the contracts began; later only what is new.
    """
    if as_csv and as_json:
        raise ConfigError("show rewards: --csv or --json, not both")

    async def read() -> "Rewards":
        from cuckoo.services.staking.income import rewards_of
        from cuckoo.services.staking.wallet import Wallet

        async with open_past(place) as past:
            return await rewards_of(Wallet(past.client, find_address(place, who)), past.shelf, past.history, days)

    found = asyncio.run(read())
    if as_csv:
        from cuckoo.services.staking.income import csv_of

        click.echo("".join(csv_of(found)), nl=False)
    elif as_json:
        print_json(as_builtins(found))
    else:
        _print_rewards(found)


def _print_rewards(found: "Rewards") -> None:
    click.echo(f"{found.staker} at block {found.at.block:,}")
    click.echo(f"  earned since {found.from_day}  {shortened(found.earned_cai)} CAI")
    click.echo(f"  to claim now             {shortened(found.claimable_cai)} CAI")
    if found.earned:
        rows = [(one.date, str(one.node_id), one.name, one.source, shortened(one.amount_cai)) for one in found.earned]
        print_table(("day (UTC)", "node", "name", "from", "CAI"), rows, right=("node", "CAI"))
    if found.projected:
        expected = [
            (
                str(one.node_id),
                one.tranche,
                shortened(one.active_cai),
                shortened(one.emission_cai),
                shortened(one.fees_cai),
                shortened(one.commission_cai),
                f"{float(one.yearly_percent):.2f} %",
            )
            for one in found.projected
        ]
        columns = ("expected a day at node", "as", "CAI", "emission", "fees", "commission", "a year")
        print_table(columns, expected, right=("expected a day at node", *columns[2:]))
        note(
            "  if all stays as it is: emission as it is streamed now, fees as in the last 30 days; nothing is promised"
        )


@click.command(epilog=examples("cuckoo stake node 3", "cuckoo stake node 3 --days 90 --json"))
@click.argument("node", type=click.IntRange(1, 2**32 - 1))
@click.option(
    "--days", type=click.IntRange(1, 366), default=14, show_default=True, help="Today (UTC) and those before."
)
@json_option
@chain_options
@place_options
def node(place: Place, node: int, days: int, *, as_json: bool) -> None:
    """Show NODE: its stake, its words, its last days, and what happened to it."""

    async def read() -> "tuple[NodeView, NodeHistory]":
        from cuckoo.services.staking.income import history_of

        async with open_past(place, asking=True) as past:
            view = await past.shelf.view(NodeId(node))
            return view, await history_of(NodeId(node), past.shelf, past.history, days)

    view, history = asyncio.run(read())
    if as_json:
        print_json(as_builtins(view) | {"days": as_builtins(history)["days"]})
    else:
        _print_node(view, history)


def _print_node(view: "NodeView", history: "NodeHistory") -> None:
    row, words = view.node, view.introduction
    weight = "carries weight" if row.eligible else "in jail" if row.jailed_until else "carries no weight"
    click.echo(f"node {row.node_id}, {row.role}, {weight}, at block {view.at.block:,}")
    for name, value in (
        ("name", words["name"]),
        ("text", words["text"]),
        ("url", words["url"]),
        ("from", words["location"]),
    ):
        if value:
            note(f"  {name:11} {plain(value)}")
    click.echo(f"  weight      {shortened(row.weight_cai)} CAI")
    click.echo(f"  own stake   {shortened(row.own_cai)} CAI, it must keep {shortened(view.floor_cai)}")
    click.echo(f"  votes       {shortened(row.votes_cai)} CAI")
    rising = row.commission_rising
    rises = f", rises to {rising['to_percent']} % on {_date(int(rising['at']))}" if rising else ""
    click.echo(f"  commission  {row.commission_percent} %, at most {row.max_commission_percent} %{rises}")
    if row.yield_percent is not None:
        click.echo(
            f"  yield       {float(row.yield_percent):.2f} % a year, {float(row.fees_percent or 0):.2f} of it fees"
        )
    click.echo(f"  slashes     {row.slashes}")
    for one in view.claims_by:
        click.echo(f"  coordinator {one.coordinator} claims: {claimed(one.claims)}")
    click.echo(f"  owner       {row.owner}")
    click.echo(f"  operator    {row.operator}")
    rows = [
        (
            one.date,
            shortened(one.own_cai),
            shortened(one.votes_cai),
            f"{one.commission_percent} %",
            shortened(one.emission_cai),
            shortened(one.fees_cai),
            shortened(one.paid_cai),
        )
        for one in reversed(history.days)
    ]
    columns = ("day (UTC)", "own stake", "votes", "commission", "emission", "fees", "paid for tasks")
    print_table(columns, rows, right=columns[1:])
    if view.events:
        happened = [
            (
                _date(one.time),
                one.kind,
                ", ".join(f"{name} {value}" for name, value in one.numbers.items() if len(value) < 50),
            )
            for one in view.events[:20]
        ]
        print_table(("when (UTC)", "what", "numbers"), happened)


def claimed(claims: "NodeClaims") -> str:
    """Write what coordinators say about a miner."""
    told = [f"{claims.tasks_done:,} tasks done", f"drawn {claims.drawn:,} times, expected {claims.odds_sum:,.1f}"]
    if claims.success_percent is not None:
        told.append(f"{claims.success_percent} % of attempts succeed")
    if claims.speed is not None:
        told.append(f"{claims.speed:.3g} megapixel-steps/s")
    told.append(f"audits {claims.audits_passed:,} passed, {claims.audits_failed:,} failed")
    return ", ".join(told) + (f", on {plain(claims.device)}" if claims.device else "")


@click.command(epilog=examples("cuckoo stake network", "cuckoo stake network --json"))
@json_option
@chain_options
@place_options
def network(place: Place, *, as_json: bool) -> None:
    """Show the network: nodes and weight by role, emission, and what coordinators paid for tasks by day."""

    async def read() -> "Stats":
        async with open_past(place, asking=True) as past:
            return await past.shelf.stats()

    stats = asyncio.run(read())
    if as_json:
        print_json(as_builtins(stats))
        return
    click.echo(f"{place.read_network().name} at block {stats.at.block:,}")
    rows = [
        (
            role,
            f"{stats.nodes[role]:,}",
            f"{stats.eligible[role]:,}",
            shortened(stats.weight_cai[role]),
            shortened(stats.emission_per_day_cai[role]),
            shortened(stats.reserve_cai[role]),
        )
        for role in stats.nodes
    ]
    columns = ("role", "nodes", "that carry weight", "weight", "emission a day", "left of it")
    print_table(columns, rows, right=columns[1:])
    paid = [(day, shortened(amount)) for day, amount in reversed(stats.paid_cai_by_day.items()) if amount != "0"]
    if paid:
        print_table(("day (UTC)", "paid for tasks (CAI)"), paid, right=("paid for tasks (CAI)",))
    done = f"{stats.claimed_tasks:,} tasks done, {stats.claimed_pictures:,} pictures, {stats.claimed_draws:,} draws"
    note(f"  coordinators claim {done}")


def _numbers(event: "EventRow") -> str:
    """Write what an event says; what is longer than an address stays away."""
    return ", ".join(f"{name} {value}" for name, value in event.numbers.items() if len(value) <= ADDRESS_LENGTH)


def _date(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


COMMANDS = (rewards, node, network)
