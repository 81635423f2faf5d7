"""``cuckoo coordinator reports`` and ``takedown``: what people report, and what is shown no longer."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.apikeys import find_folder, node_option
from cuckoo.cli.options import Place, examples, json_option, network_option, place_options
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.domain.errors import ConfigError, InvalidField

if TYPE_CHECKING:
    from cuckoo.domain.identifiers import TaskId
    from cuckoo.storage.reports import Report, ReportBook, Takedown

WAIT_S = 30.0
_LOOK_S = 0.2
_SHOWN = 60


@click.group("reports")
def reports() -> None:
    """Abuse reports: what people sent to /v1/reports, and which of them wait for you."""


@reports.command("list", epilog=examples("cuckoo coordinator reports list", "cuckoo coordinator reports list --json"))
@click.option("--all", "closed", is_flag=True, help="Also those that are closed.")
@node_option
@json_option
@network_option
@place_options
def list_reports(place: Place, *, closed: bool, node: int | None, as_json: bool) -> None:
    """Show the reports that wait, oldest first."""
    from cuckoo.storage.reports import open_reports

    with open_reports(find_folder(place, node)) as book:
        found = book.reports(closed=closed)
    if as_json:
        print_json({"reports": [_report_json(one) for one in found]})
    elif found:
        rows = [
            (str(one.report_id), _second(one.at), one.target, _short(one.reason), _short(one.contact) or "-")
            for one in found
        ]
        print_table(("report", "at", "task or picture", "reason", "contact"), rows)
    else:
        note("no report waits")


@reports.command("close", epilog=examples("cuckoo coordinator reports close 7"))
@click.argument("report", type=click.IntRange(1))
@node_option
@network_option
@place_options
def close_report(place: Place, report: int, *, node: int | None) -> None:
    """Close REPORT, by its number, without taking anything down."""
    from cuckoo.storage.reports import open_reports

    with open_reports(find_folder(place, node)) as book:
        book.close(report, time.time())
    note(f"report {report} is closed")


@click.command(
    "takedown",
    epilog=examples(
        'cuckoo coordinator takedown 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --reason "shows a person against her will"',
        "cuckoo coordinator takedowns --json",
    ),
)
@click.argument("target", metavar="TASK|PICTURE")
@click.option("--reason", required=True, help="Why, for your own records.")
@node_option
@json_option
@network_option
@place_options
def takedown(place: Place, target: str, *, reason: str, node: int | None, as_json: bool) -> None:
    """Overwrite pictures on disk and show them to nobody any more.

    Give the id of a task, or a hash of a picture: that of its pixels, as its receipt has it, or its ETag. Whatever has
    the same pixels goes too, now and when it is made again. Works while the coordinator runs and while it does not. It
    can not be undone.
    """
    from cuckoo.services.moderation import parse_target
    from cuckoo.storage.reports import open_reports

    try:
        wanted = parse_target(target, "TASK|PICTURE")
    except InvalidField as error:
        raise ConfigError(f"take down: {error}") from None
    folder = find_folder(place, node)
    with open_reports(folder) as book:
        number = book.order(wanted, reason, time.time())
        done = asyncio.run(_carried_out(folder, book, number))
    if as_json:
        print_json(_takedown_json(done))
        return
    if not done.pictures:
        note("nothing here has it" + ("" if len(wanted) == 32 else "; it is refused from now on"))
    else:
        note(f"{done.pictures} pictures are shown to nobody any more (451)")
    if done.withheld:
        note(f"{done.withheld} of them stay on disk until an audit or a dispute about them is over: jurors need them")


@click.command("takedowns", epilog=examples("cuckoo coordinator takedowns", "cuckoo coordinator takedowns --json"))
@node_option
@json_option
@network_option
@place_options
def list_takedowns(place: Place, *, node: int | None, as_json: bool) -> None:
    """Show what was taken down, and why."""
    from cuckoo.storage.reports import open_reports

    with open_reports(find_folder(place, node)) as book:
        found = book.takedowns()
    if as_json:
        print_json({"takedowns": [_takedown_json(one) for one in found]})
    elif found:
        rows = [(_second(one.at), one.target, str(one.pictures), _short(one.reason)) for one in found]
        print_table(("at", "task or picture", "pictures", "reason"), rows)
    else:
        note("nothing was taken down")


async def _carried_out(folder: Path, book: "ReportBook", number: int) -> "Takedown":
    """Carry orders out where no coordinator runs, else wait until it has done so; raises ConfigError."""
    if not await _by_ourselves(folder, book):
        until = time.monotonic() + WAIT_S
        while any(one.takedown_id == number for one in book.takedowns(open_only=True)):
            if time.monotonic() > until:
                raise ConfigError(
                    f"take down: the coordinator that runs has not done it within {WAIT_S:.0f} s; the order is kept: "
                    "see its log, and cuckoo coordinator takedowns"
                )
            await asyncio.sleep(_LOOK_S)
    return next(one for one in book.takedowns() if one.takedown_id == number)


async def _by_ourselves(folder: Path, book: "ReportBook") -> bool:
    """Carry orders out; returns False where another process has the folder open."""
    from cuckoo.runtime.clock import SystemClock
    from cuckoo.services.moderation import Takedowns
    from cuckoo.storage.lock import holder
    from cuckoo.storage.store import open_store

    if holder(folder) is not None:
        return False
    clock = SystemClock()
    async with open_store(folder, clock=clock.now) as store:

        async def cancel(task_id: "TaskId", _owner: int | None) -> None:
            await store.writer.execute(store.tasks.cancel(task_id, at=clock.now()))

        await Takedowns(store, book, cancel=cancel, keep_s=0.0, clock=clock).look()
    return True


def _report_json(report: "Report") -> dict[str, Any]:
    return {
        "report": report.report_id,
        "target": report.target,
        "reason": report.reason,
        "contact": report.contact,
        "at": _second(report.at),
        "closed": None if report.closed_at is None else _second(report.closed_at),
    }


def _takedown_json(order: "Takedown") -> dict[str, Any]:
    return {
        "target": order.target,
        "reason": order.reason,
        "at": _second(order.at),
        "done": None if order.done_at is None else _second(order.done_at),
        "pictures": order.pictures,
        "withheld": order.withheld,
    }


def _short(text: str) -> str:
    """Return what fits into a line of a terminal, without what could move its cursor."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


def _second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
