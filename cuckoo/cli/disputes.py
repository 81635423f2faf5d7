"""``cuckoo disputes``: what juries judge and have judged, read from the chain. No key is needed to look."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.chain import open_client
from cuckoo.cli.options import Place, chain_options, examples, json_option, key_options, place_options
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.cli.wallet import find_key
from cuckoo.domain.amounts import format_cai

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuckoo.chain.disputes import Seats
    from cuckoo.domain.identifiers import NodeId
    from cuckoo.services.disputing.results import Result

    Juror = tuple[int, NodeId, Seats]


@click.group()
def disputes() -> None:
    """Accusations of wrong results, and what juries said about them."""


@disputes.command("list", epilog=examples("cuckoo disputes list", "cuckoo disputes list --limit 5 --json"))
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many of the newest.")
@json_option
@chain_options
@place_options
def list_(place: Place, limit: int, *, as_json: bool) -> None:
    """List disputes, the newest first."""

    async def read() -> "list[Result]":
        from cuckoo.services.disputing.court import Docket

        async with open_client(place) as client:
            docket = Docket(client)
            newest = await docket.contract.count()
            wanted = range(newest, max(0, newest - limit), -1)
            return [await docket.result(await docket.contract.dispute(number)) for number in wanted]

    found = asyncio.run(read())
    if as_json:
        print_json([_json(one) for one in found])
    elif found:
        rows = [
            (
                str(one.dispute.dispute_id),
                str(one.dispute.miner),
                str(one.dispute.coordinator),
                _state(one),
                _ends(one),
                one.words,
            )
            for one in found
        ]
        print_table(("dispute", "miner", "coordinator", "state", "until (UTC)", "what came of it"), rows)
    else:
        note("there was never a dispute here")


@disputes.command(epilog=examples("cuckoo disputes show 3", "cuckoo disputes show 3 --json"))
@click.argument("dispute", type=click.IntRange(1))
@json_option
@chain_options
@place_options
def show(place: Place, dispute: int, *, as_json: bool) -> None:
    """Show one dispute: parties, rounds, who judges and what was said."""

    async def read() -> "tuple[Result, list[Juror]]":
        from cuckoo.services.disputing.court import Docket

        async with open_client(place) as client:
            docket = Docket(client)
            result = await docket.result(await docket.contract.dispute(dispute))
            seated = await docket.log.jurors(dispute, result.rounds[0].ticket)
            jurors = [(number, node, await docket.contract.seats(dispute, number, node)) for number, node in seated]
            return result, jurors

    result, jurors = asyncio.run(read())
    if as_json:
        print_json(_json(result) | {"jurors": [_juror_json(one) for one in jurors]})
    else:
        _print(result, jurors)


@disputes.command(epilog=examples("cuckoo disputes appeal 3 --key alice"))
@click.argument("dispute", type=click.IntRange(1))
@json_option
@key_options
@chain_options
@place_options
def appeal(place: Place, dispute: int, *, as_json: bool) -> None:
    """Have a jury twice as large judge again: once, and only the side that lost. Takes a bond from the wallet."""
    network = place.read_network()
    private_key = find_key(place, purpose="the side that lost", raw_allowed=network.is_devnet)

    async def run() -> int:
        from cuckoo.chain.transactions import Sender
        from cuckoo.services.disputing.court import Court

        async with open_client(place) as client:
            court = Court(client, Sender(client, private_key))
            await court.appeal(dispute)
            return (await court.contract.dispute(dispute)).phase_ends

    ends = asyncio.run(run())
    if as_json:
        print_json({"dispute": dispute, "claim_ends": ends})
    else:
        click.echo(f"dispute {dispute} is judged again; seats are claimed until {_time(ends)} UTC")


def _state(result: "Result") -> str:
    dispute = result.dispute
    return (dispute.outcome.name if dispute.outcome else dispute.phase.name).lower()


def _ends(result: "Result") -> str:
    return _time(result.dispute.phase_ends) if result.dispute.phase_ends else ""


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _json(result: "Result") -> dict[str, Any]:
    def cai(wei: int) -> str:
        return format_cai(wei, grouped=False)

    dispute, ending = result.dispute, result.ending
    return {
        "dispute": dispute.dispute_id,
        "fault": dispute.fault_id.hex(),
        "miner": dispute.miner,
        "coordinator": dispute.coordinator,
        "accuser": dispute.accuser,
        "bond": cai(dispute.bond_wei),
        "appellant": dispute.appellant,
        "appeal_bond": cai(dispute.appeal_bond_wei),
        "state": _state(result),
        "phase_ends": dispute.phase_ends or None,
        "rounds": [
            {
                "started_at": one.started_at,
                "expected": one.expected,
                "claimed": one.claimed,
                "guilty": one.guilty,
                "not_guilty": one.not_guilty,
                "abstained": one.abstained,
            }
            for one in result.rounds
        ],
        "fee_per_seat": cai(dispute.fee_wei),
        "own_lost": cai(ending.own_wei) if ending else None,
        "votes_lost": cai(ending.votes_wei) if ending else None,
        "bonds_returned": cai(ending.returned_wei) if ending else None,
        "burned": cai(result.burned_wei) if ending else None,
        "summary": result.words,
    }


def _juror_json(juror: "Juror") -> dict[str, Any]:
    number, node, seats = juror
    return {
        "round": number + 1,
        "miner": node,
        "seats": seats.seats,
        "said": _said(seats),
        "settled": seats.settled,
    }


def _said(seats: "Seats") -> str:
    if seats.verdict:
        return seats.verdict.words
    return "committed" if seats.committed else "nothing"


def _print(result: "Result", jurors: "Sequence[Juror]") -> None:
    dispute = result.dispute
    until = f" until {_ends(result)} UTC" if dispute.phase_ends else ""
    click.echo(f"dispute {dispute.dispute_id}: {result.words}")
    click.echo(f"  state        {_state(result)}{until}")
    click.echo(f"  accused      miner {dispute.miner}")
    click.echo(f"  accuser      {dispute.accuser}, bond {format_cai(dispute.bond_wei)} CAI")
    click.echo(f"  coordinator  {dispute.coordinator}")
    if dispute.appellant is not None:
        click.echo(f"  appeal       {dispute.appellant}, bond {format_cai(dispute.appeal_bond_wei)} CAI")
    if result.ending is not None:
        click.echo(
            f"  lost         {format_cai(result.ending.own_wei)} CAI of its own, "
            f"{format_cai(result.ending.votes_wei)} CAI of its voters"
        )
        click.echo(f"  jurors       {format_cai(dispute.fee_wei)} CAI a seat that said what came out")
    rows = [
        (str(number + 1), str(node), str(seats.seats), _said(seats), "yes" if seats.settled else "no")
        for number, node, seats in jurors
    ]
    if rows:
        print_table(("round", "miner", "seats", "said", "settled"), rows, right=("seats",))
    else:
        note("nobody has claimed seats")
