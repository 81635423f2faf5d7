"""``cuckoo disputes``: what juries judge and have judged, read from the chain. No key is needed to look."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cuckoo.cli.chain import open_client
from cuckoo.cli.options import Place, chain_options, examples, json_option, key_options, place_options
from cuckoo.cli.output import as_builtins, note, print_json, print_table
from cuckoo.cli.wallet import find_key
from cuckoo.domain.amounts import format_cai, parse_cai

if TYPE_CHECKING:
    from cuckoo.protocol.portal_disputes import DisputeDetail, DisputeRow


@click.group()
def disputes() -> None:
    """Accusations of wrong results, and what juries said about them."""


@disputes.command("list", epilog=examples("cuckoo disputes list --state open", "cuckoo disputes list --limit 5 --json"))
@click.option(
    "--state", type=click.Choice(["all", "open", "past"]), default="all", show_default=True, help="Which ones."
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many of the newest.")
@json_option
@chain_options
@place_options
def list_(place: Place, state: str, limit: int, *, as_json: bool) -> None:
    """List disputes, the newest first."""

    async def read() -> "list[DisputeRow]":
        from cuckoo.services.disputing.record import Records
        from cuckoo.services.disputing.shown import row_of

        async with open_client(place) as client:
            _, _, found = await Records(client).page(state, 0, limit)
            return [row_of(one) for one in found]

    found = asyncio.run(read())
    if as_json:
        print_json([as_builtins(one) for one in found])
    elif found:
        rows = [
            (str(one.dispute), str(one.miner), str(one.coordinator), one.state, _until(one), one.summary)
            for one in found
        ]
        print_table(("dispute", "miner", "coordinator", "state", "until (UTC)", "what came of it"), rows)
    else:
        note("there is none" if state == "open" else "there was never a dispute here")


@disputes.command(epilog=examples("cuckoo disputes show 3", "cuckoo disputes show 3 --json"))
@click.argument("dispute", type=click.IntRange(1))
@json_option
@chain_options
@place_options
def show(place: Place, dispute: int, *, as_json: bool) -> None:
    """Show one dispute: parties, rounds, who judges and what was said, the evidence, and who paid whom."""

    async def read() -> "DisputeDetail":
        from cuckoo.services.disputing.record import Records
        from cuckoo.services.disputing.shown import detail_of

        async with open_client(place) as client:
            return detail_of(await Records(client).record(dispute))

    detail = asyncio.run(read())
    if as_json:
        told = as_builtins(detail)
        print_json(told.pop("dispute") | told)
    else:
        _print(detail)


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


def _until(row: "DisputeRow") -> str:
    return _time(row.phase_ends) if row.phase_ends else ""


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _grouped(amount: str | None) -> str:
    return format_cai(parse_cai(amount or "0"))


FLOWS = {
    "bond": "bond",
    "own_stake": "own stake lost",
    "votes": "votes lost",
    "fine": "fined",
    "returned": "given back",
    "juror": "paid to a juror",
    "burned": "burned",
}


def _print(detail: "DisputeDetail") -> None:
    row, evidence = detail.dispute, detail.evidence
    until = f" until {_until(row)} UTC" if row.phase_ends else ""
    click.echo(f"dispute {row.dispute}: {row.summary}")
    click.echo(f"  state        {row.state}{until}")
    click.echo(f"  accused      miner {row.miner}")
    click.echo(f"  accuser      {row.accuser}, bond {_grouped(row.bond)} CAI")
    click.echo(f"  coordinator  {row.coordinator}")
    if row.appellant is not None:
        click.echo(f"  appeal       {row.appellant}, bond {_grouped(row.appeal_bond)} CAI")
    if row.own_lost is not None:
        click.echo(
            f"  lost         {_grouped(row.own_lost)} CAI of its own, {_grouped(row.votes_lost)} CAI of its voters"
        )
        click.echo(f"  jurors       {_grouped(row.fee_per_seat)} CAI a seat that said what came out")
    if evidence is not None:
        profile = evidence.profile
        click.echo(f"  task         {evidence.task}, parameters {evidence.parameters_hash}")
        click.echo(f"  made on      {profile.device}, {profile.dtype}, torch {profile.torch}")
        click.echo(f"  pictures     {', '.join(evidence.pictures)}")
    if detail.jurors:
        rows = [
            (str(one.round), str(one.miner), str(one.seats), one.said, _grouped(one.paid), _grouped(one.fined))
            for one in detail.jurors
        ]
        print_table(("round", "miner", "seats", "said", "paid", "fined"), rows, right=("seats", "paid", "fined"))
    else:
        note("nobody has claimed seats")
    flows = [(FLOWS[one.kind], one.who, _grouped(one.amount)) for one in detail.flows]
    print_table(("money", "who", "CAI"), flows, right=("CAI",))
