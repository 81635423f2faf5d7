"""``cuckoo status``: what the roles of this data folder do, earn and owe. Reads files only: no key, no chain."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from cuckoo.cli.options import Place, examples, json_option, network_option, place_options
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.domain.status import CoordinatorState, MinerState, StakerState

if TYPE_CHECKING:
    from cuckoo.storage.status import Found

ACCOUNTS_SHOWN = 20
LATE_S = 10.0
"""Beyond three intervals: a process that holds its folder and has written nothing for so long hangs."""


@click.command(epilog=examples("cuckoo status", "cuckoo status --role miner --json"))
@click.option(
    "--role", type=click.Choice(["coordinator", "miner", "staker"]), help="Only roles of this kind.  [default: all]"
)
@json_option
@network_option
@place_options
def status(place: Place, role: str | None, *, as_json: bool) -> None:
    """Show the roles of this data folder: what they do, what they are owed and owe, and what is wrong.

    A role that does not run is shown as it last was. Needs no password, and no chain.
    """
    from cuckoo.storage.status import read_reports

    network = place.network_file.stem if not place.network_file.exists() else place.read_network().name
    found = [one for one in read_reports(place.data_dir / network) if role in (None, _role(one))]
    now = time.time()
    if as_json:
        print_json({"network": network, "roles": [_json(one, now) for one in found]})
        return
    if not found:
        note(f"no role has run on network {network} with {place.data_dir}")
    for one in found:
        _print(one, now)


def _role(found: "Found") -> str:
    role: str = type(found.report.state).__struct_config__.tag  # type: ignore[assignment]
    return role


def condition(found: "Found", now: float) -> str:
    """Say whether a role's process lives.

    Returns:
        "running", "hangs", "starting" (it has not reported yet), "stopped", or "died" where it said no last word.
    """
    report = found.report
    if found.pid is None:
        return "stopped" if report.stopped else "died"
    if found.pid != report.pid:
        return "starting"
    return "hangs" if now - report.at > 3 * report.every_s + LATE_S else "running"


def _json(found: "Found", now: float) -> dict[str, Any]:
    report = found.report
    state = msgspec.to_builtins(report.state)
    return {
        "role": state.pop("role"),
        "condition": condition(found, now),
        "pid": found.pid,
        "started_at": report.started_at,
        "at": report.at,
        **state,
    }


def _print(found: "Found", now: float) -> None:
    report, state = found.report, found.report.state
    name = f"staker {state.address}" if isinstance(state, StakerState) else f"{_role(found)} node {state.node}"
    life = condition(found, now)
    colour = {"running": "green", "starting": "green", "stopped": "yellow"}.get(life, "red")
    at = datetime.fromtimestamp(report.at, UTC)
    since = {
        "running": f"running for {_duration(now - report.started_at)}, process {found.pid}",
        "starting": f"process {found.pid} starts; as it was at {at:%Y-%m-%d %H:%M:%S} UTC",
        "hangs": f"process {found.pid} has said nothing since {at:%Y-%m-%d %H:%M:%S} UTC",
        "stopped": f"not running: stopped {at:%Y-%m-%d %H:%M:%S} UTC; as it was then",
        "died": f"not running: it died after {at:%Y-%m-%d %H:%M:%S} UTC; as it was then",
    }[life]
    click.echo(click.style(name, bold=True) + "  " + click.style(since, fg=colour))
    if isinstance(state, CoordinatorState):
        _coordinator(state)
    elif isinstance(state, MinerState):
        _miner(state)
    else:
        _staker(state)
    for reason in state.warnings.values():
        click.echo("  " + click.style("warning", fg="red") + f"        {reason}")


def _lines(*rows: tuple[str, str]) -> None:
    for name, value in rows:
        click.echo(f"  {name:<14} {value}")


def _weight(state: CoordinatorState | MinerState) -> tuple[str, str]:
    return "weight", f"{grouped(state.weight)} CAI" + (", not eligible" if state.not_eligible else ", eligible")


def _coordinator(state: CoordinatorState) -> None:
    lasts = "nothing is spent" if state.lasts_s is None else f"lasts {_duration(state.lasts_s)} at the present rate"
    failed = f", {state.failed_today} failed" if state.failed_today else ""
    _lines(
        _weight(state),
        ("miners", f"{state.miners} signed in"),
        ("tasks", f"{state.queued} waiting, {state.running} running; today {state.done_today} done{failed}"),
        ("miners' money", f"{grouped(state.owed)} CAI owed, {grouped(state.redeemed)} redeemed"),
        ("in escrow", f"{grouped(state.free)} CAI free"),
        ("wallet", f"{_known(state.wallet)} CAI, {lasts}; {_gas(state.gas)} for gas"),
    )
    if state.accounts:
        rows = [
            (str(one.miner), "yes" if one.signed_in else "no", *map(grouped, (one.owed, one.redeemed, one.free)))
            for one in state.accounts[:ACCOUNTS_SHOWN]
        ]
        _table(("miner", "signed in", "owed", "redeemed", "free"), rows)
        if state.accounts_known > len(rows):
            note(f"  the {len(rows)} with the least free of {state.accounts_known}; more with --json")


def _miner(state: MinerState) -> None:
    _lines(
        _weight(state),
        ("models", f"{', '.join(state.models) or 'none loaded yet'} on {', '.join(state.devices)}"),
        ("tasks", f"{state.running} in hand; today {state.done_today} done"),
        ("gas", _gas(state.gas)),
    )
    if state.backing:
        rows = [
            (
                str(one.coordinator),
                "yes" if one.signed_in else "no",
                grouped(one.unredeemed),
                grouped(one.in_flight),
                _known(one.free),
                _known(one.redeemed),
                "stopped" if one.stopped else "yes",
            )
            for one in state.backing
        ]
        _table(("coordinator", "signed in", "unredeemed", "in flight", "free", "redeemed", "takes work"), rows)
    for one in state.backing:
        if one.stopped:
            _lines(("no work from", f"{one.coordinator}: {one.stopped}"))
    for seat in state.judged:
        where = f"{seat.seats} seats in dispute {seat.dispute}, round {seat.round}, about miner {seat.accused}"
        _lines(("jury", f"{where}: {seat.outcome or 'not over yet'}"))


def _staker(state: StakerState) -> None:
    releasable = f", {grouped(state.releasable)} of it free now" if state.releasable != "0" else ""
    _lines(
        ("wallet", f"{grouped(state.wallet)} CAI, {_gas(state.gas)} for gas"),
        ("idle stake", f"{grouped(state.idle)} CAI"),
        ("at work", f"{grouped(state.active)} CAI behind {state.nodes} node" + ("" if state.nodes == 1 else "s")),
        ("rewards", f"{grouped(state.rewards)} CAI to claim"),
        ("on its way out", f"{grouped(state.unbonding)} CAI{releasable}"),
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    words = ("miner", "coordinator", "signed in", "takes work")
    print_table(columns, rows, right=[column for column in columns if column not in words])


def grouped(amount: str) -> str:
    """Write a decimal amount with separators of thousands."""
    whole, point, fraction = amount.partition(".")
    return f"{int(whole):,}{point}{fraction}"


def _known(amount: str | None) -> str:
    return "?" if amount is None else grouped(amount)


def _gas(amount: str | None) -> str:
    """Write native coin with four decimals, rounded down: nobody counts gas to the wei."""
    if amount is None:
        return "?"
    whole, _, fraction = amount.partition(".")
    return grouped(f"{whole}.{fraction[:4]}".rstrip("0").rstrip(".") if fraction else whole)


def _duration(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count:,} {unit}" + ("" if count == 1 else "s")
    return f"{int(seconds)} s"
