"""``cuckoo stake``: what a staker does with its CAI. Commands around nodes of one's own: :mod:`cuckoo.cli.nodes`."""

import asyncio
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli import nodes as node_commands
from cuckoo.cli import past as past_commands
from cuckoo.cli.chain import open_client, open_wallet, show, transact
from cuckoo.cli.options import Place, chain_options, examples, json_option, key_options, place_options
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.cli.wallet import find_address
from cuckoo.domain.amounts import format_cai, parse_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuckoo.services.staking.wallet import Portfolio, Stake
    from cuckoo.services.staking.yields import Yield

TRANCHES = ("own", "votes")
YIELD_DAYS = (7, 30)


@click.group(
    epilog=examples(
        "cuckoo stake deposit 25000 --key alice",
        "cuckoo stake register --role miner --operator rig --name Wren --key alice",
        "cuckoo stake vote 1 5000 --key alice",
    )
)
def stake() -> None:
    """Stake CAI, register nodes, vote for nodes, and get it all back.

    Deposited stake is idle: it earns nothing and is not at risk. Behind a node it counts, earns, and can be slashed,
    until it is out again.
    """


for command in (*node_commands.COMMANDS, *past_commands.COMMANDS):
    stake.add_command(command)


@stake.command(epilog=examples("cuckoo stake deposit 20000 --key alice"))
@click.argument("amount")
@key_options
@json_option
@chain_options
@place_options
def deposit(place: Place, amount: str, *, as_json: bool) -> None:
    """Move AMOUNT of CAI from the wallet into idle stake."""
    wei = parse_cai(amount)
    show(transact(open_wallet, place, lambda wallet: wallet.deposit(wei)), as_json=as_json)


@stake.command(epilog=examples("cuckoo stake withdraw 2.5 --key alice", "cuckoo stake withdraw --key alice"))
@click.argument("amount", default="")
@key_options
@json_option
@chain_options
@place_options
def withdraw(place: Place, amount: str, *, as_json: bool) -> None:
    """Move AMOUNT of idle stake back into the wallet; without it, all."""
    wei = parse_cai(amount) if amount else None
    show(transact(open_wallet, place, lambda wallet: wallet.withdraw(wei)), as_json=as_json)


@stake.command(epilog=examples("cuckoo stake vote 3 5000 --key alice"))
@click.argument("node", type=click.IntRange(1, 2**32 - 1))
@click.argument("amount")
@key_options
@json_option
@chain_options
@place_options
def vote(place: Place, node: int, amount: str, *, as_json: bool) -> None:
    """Put AMOUNT of idle stake behind NODE.

    Behind a node of your own it becomes own stake, behind any other a vote. It earns a share of the node's rewards,
    and loses with it when the node is slashed.
    """
    wei = parse_cai(amount)
    show(transact(open_wallet, place, lambda wallet: wallet.vote(NodeId(node), wei)), as_json=as_json)


@stake.command(epilog=examples("cuckoo stake unvote 3 1000 --key alice", "cuckoo stake unvote 3 --all --key alice"))
@click.argument("node", type=click.IntRange(1, 2**32 - 1))
@click.argument("amount", default="")
@click.option("--all", "everything", is_flag=True, help="Take everything out.")
@key_options
@json_option
@chain_options
@place_options
def unvote(place: Place, node: int, amount: str, *, everything: bool, as_json: bool) -> None:
    """Start to take AMOUNT of CAI out of NODE.

    It stops to count at once, can still be slashed, and is free after the unbonding time: cuckoo stake release.
    """
    if bool(amount) == everything:
        raise ConfigError(f"unvote node {node}: say how much, or --all")
    wei = parse_cai(amount) if amount else None
    show(transact(open_wallet, place, lambda wallet: wallet.unvote(NodeId(node), wei)), as_json=as_json)


@stake.command(epilog=examples("cuckoo stake revote 3 --key alice"))
@click.argument("node", type=click.IntRange(1, 2**32 - 1))
@key_options
@json_option
@chain_options
@place_options
def revote(place: Place, node: int, *, as_json: bool) -> None:
    """Put stake that is on its way out of NODE to work again."""
    show(transact(open_wallet, place, lambda wallet: wallet.revote(NodeId(node))), as_json=as_json)


@stake.command(epilog=examples("cuckoo stake release --key alice"))
@key_options
@json_option
@chain_options
@place_options
def release(place: Place, *, as_json: bool) -> None:
    """Turn all stake whose unbonding time is over into idle stake. `cuckoo staker` does it by itself."""
    answers = transact(open_wallet, place, lambda wallet: wallet.release())
    show(answers, as_json=as_json, nothing="nothing is free yet: cuckoo stake status shows when")


@stake.command(epilog=examples("cuckoo stake claim --all --key alice", "cuckoo stake claim 3 --key alice"))
@click.argument("node", type=click.IntRange(1, 2**32 - 1), required=False)
@click.option("--all", "everything", is_flag=True, help="At all nodes.")
@key_options
@json_option
@chain_options
@place_options
def claim(place: Place, node: int | None, *, everything: bool, as_json: bool) -> None:
    """Pay the rewards earned at NODE, or at all nodes, into the wallet."""
    if (node is not None) == everything:
        raise ConfigError("claim rewards: name one node, or --all")
    which = None if node is None else NodeId(node)
    answers = transact(open_wallet, place, lambda wallet: wallet.claim(which))
    show(answers, as_json=as_json, nothing="there are no rewards to claim")


@stake.command(epilog=examples("cuckoo stake move 3 5 --key alice"))
@click.argument("from_node", type=click.IntRange(1, 2**32 - 1))
@click.argument("to_node", type=click.IntRange(1, 2**32 - 1))
@key_options
@json_option
@chain_options
@place_options
def move(place: Place, from_node: int, to_node: int, *, as_json: bool) -> None:
    """Put what has come free of FROM_NODE, after `unvote` and the unbonding time, behind TO_NODE."""
    nodes = NodeId(from_node), NodeId(to_node)
    show(transact(open_wallet, place, lambda wallet: wallet.move(*nodes)), as_json=as_json)


@stake.command(epilog=examples("cuckoo stake compound --all --key alice", "cuckoo stake compound 3 --key alice"))
@click.argument("node", type=click.IntRange(1, 2**32 - 1), required=False)
@click.option("--all", "everything", is_flag=True, help="At all nodes.")
@key_options
@json_option
@chain_options
@place_options
def compound(place: Place, node: int | None, *, everything: bool, as_json: bool) -> None:
    """Claim the rewards earned at NODE, or at all nodes, and put them behind the node that paid them.

    `cuckoo staker --auto-compound` does it by itself.
    """
    if (node is not None) == everything:
        raise ConfigError("compound rewards: name one node, or --all")
    which = None if node is None else NodeId(node)
    answers = transact(open_wallet, place, lambda wallet: wallet.compound(which))
    show(answers, as_json=as_json, nothing="there are no rewards of 1 CAI or more to compound")


@stake.command(epilog=examples("cuckoo stake status alice", "cuckoo stake status alice --json"))
@click.argument("who", default="")
@key_options
@json_option
@chain_options
@place_options
def status(place: Place, who: str, *, as_json: bool) -> None:
    """Show what WHO has: in the wallet, idle, behind nodes, and on its way out. Needs no password."""

    async def read() -> "tuple[Portfolio, list[list[Yield]]]":
        from cuckoo.services.staking.wallet import Wallet
        from cuckoo.services.staking.yields import Yields

        async with open_client(place) as client:
            address = find_address(place, who)
            portfolio = await Wallet(client, address).portfolio()
            block = await client.block(portfolio.block)
            return portfolio, await Yields(client, address).read(portfolio.stakes, block)

    portfolio, yields = asyncio.run(read())
    if as_json:
        print_json(_portfolio_json(portfolio, yields))
    else:
        _print_portfolio(portfolio, yields)


def _share(stake: "Stake") -> Fraction:
    """Return which part of the active stake of its tranche a position is, exactly."""
    return Fraction(stake.active_shares, stake.tranche_shares or 1)


def _percents(part: Fraction, decimals: int) -> str:
    """Write a part as a percentage, rounded: "31.0345"."""
    digits = f"{round(part * 100 * 10**decimals):0{decimals + 1}d}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def _portfolio_json(portfolio: "Portfolio", yields: "Sequence[Sequence[Yield]]") -> dict[str, Any]:
    return {
        "staker": portfolio.staker,
        "block": portfolio.block,
        "gas_coin": format_cai(portfolio.native_wei, grouped=False),
        "wallet": format_cai(portfolio.wallet_wei, grouped=False),
        "idle": format_cai(portfolio.idle_wei, grouped=False),
        "stakes": [
            {
                "node": item.node.node_id,
                "role": item.node.role.name.lower(),
                "tranche": TRANCHES[item.tranche],
                "active": format_cai(item.active_wei, grouped=False),
                "share": str(_share(item)),
                "share_percent": _percents(_share(item), 4),
                "rewards": format_cai(item.rewards_wei, grouped=False),
                "yields": [
                    {
                        "days": days,
                        "since": one.since,
                        "covered_s": one.span_s,
                        "rewards": format_cai(one.rewards_wei, grouped=False),
                        "average": format_cai(one.average_wei, grouped=False),
                        "percent_a_year": None if one.yearly is None else _percents(one.yearly, 4),
                    }
                    for days, one in zip(YIELD_DAYS, of_item, strict=True)
                ],
                "eligible": item.node.eligible,
            }
            for item, of_item in zip(portfolio.stakes, yields, strict=True)
        ],
        "unbonding": [
            {
                "node": item.node_id,
                "tranche": TRANCHES[item.tranche],
                "amount": format_cai(item.wei, grouped=False),
                "free_at": item.free_at,
            }
            for item in portfolio.unbonding
        ],
    }


def _percent(one: "Yield", days: int) -> str:
    """Write a yield; with the time that it covers, where that is not what was asked for."""
    if one.yearly is None:
        return "-"
    percent = f"{_percents(one.yearly, 1)} %"
    if abs(one.span_s - days * 86_400) <= days * 864:
        return percent
    minutes = one.span_s / 60
    if minutes < 120:
        return f"{percent} (of {minutes:.0f} min)"
    return f"{percent} (of {minutes / 60:.1f} h)" if minutes < 48 * 60 else f"{percent} (of {minutes / 1_440:.1f} d)"


def _print_portfolio(portfolio: "Portfolio", yields: "Sequence[Sequence[Yield]]") -> None:
    click.echo(f"{portfolio.staker} at block {portfolio.block:,}")
    click.echo(f"  in the wallet  {format_cai(portfolio.wallet_wei)} CAI, {portfolio.native_wei / 1e18:.4f} for gas")
    click.echo(f"  idle stake     {format_cai(portfolio.idle_wei)} CAI")
    if portfolio.stakes:
        rows = [
            (
                str(item.node.node_id),
                item.node.role.name.lower(),
                TRANCHES[item.tranche],
                format_cai(item.active_wei),
                f"{_percents(_share(item), 1)} %",
                format_cai(item.rewards_wei),
                *(_percent(one, days) for days, one in zip(YIELD_DAYS, of_item, strict=True)),
                "yes" if item.node.eligible else "no weight",
            )
            for item, of_item in zip(portfolio.stakes, yields, strict=True)
        ]
        columns = ("node", "role", "as", "CAI", "of these", "rewards", "a year, last 7 d", "last 30 d", "counts")
        print_table(columns, rows, right=columns[3:8])
    if portfolio.unbonding:
        out = [
            (str(item.node_id), TRANCHES[item.tranche], format_cai(item.wei), _when(item.free_at, portfolio.time))
            for item in portfolio.unbonding
        ]
        print_table(("on its way out of node", "as", "CAI", "free"), out, right=("on its way out of node", "CAI"))
    if not portfolio.stakes and not portfolio.unbonding:
        note("  nothing stands behind a node: cuckoo stake nodes shows whom to vote for")


def _when(free_at: int, now: int) -> str:
    """Say when stake is free, by the chain's clock."""
    if free_at <= now:
        return "now: cuckoo stake release"
    date = datetime.fromtimestamp(free_at, UTC)
    if free_at - now < 3_600:
        return f"{date:%Y-%m-%d %H:%M:%S} UTC, in {free_at - now} s"
    return f"{date:%Y-%m-%d %H:%M} UTC"
