"""``cuckoo coordinator reports`` and ``takedown``."""

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

WAIT_S = 15.0
_PAUSE_S = 0.1


@click.group("reports")
def reports() -> None:
    """What people report about pictures of this coordinator.

    Works while the coordinator runs, and while it does not.
    """


@reports.command("list", epilog=examples("cuckoo coordinator reports list", "cuckoo coordinator reports list --all"))
@click.option("--all", "closed", is_flag=True, help="Those that are closed too.")
@node_option
@json_option
@network_option
@place_options
def list_reports(place: Place, *, closed: bool, node: int | None, as_json: bool) -> None:
    """Show the reports that nobody has looked at yet."""
    from cuckoo.storage.reports import open_reports

    with open_reports(find_folder(place, node)) as book:
        found = book.reports(closed=closed)
    if as_json:
        print_json({"reports": [_report_json(one) for one in found]})
        return
    rows = [
        (str(one.report_id), _second(one.at), one.task_id, one.outcome or "open", one.reason, one.contact)
        for one in found
    ]
    if rows:
        print_table(("report", "came", "task", "state", "reason", "contact"), rows, right=("report",))
    else:
        note("there are no reports" if closed else "no report is open; --all shows those that are closed")


@reports.command(epilog=examples('cuckoo coordinator reports close 3 --outcome "nothing wrong with it"'))
@click.argument("report", type=click.IntRange(1))
@click.option("--outcome", required=True, metavar="TEXT", help="What came of it, for your records.")
@node_option
@network_option
@place_options
def close(place: Place, report: int, *, outcome: str, node: int | None) -> None:
    """Close REPORT, of which nothing more is to come."""
    from cuckoo.storage.reports import open_reports

    with open_reports(find_folder(place, node)) as book:
        book.close(report, outcome, time.time())
    note(f"report {report} is closed")


@click.command(epilog=examples('cuckoo coordinator takedown 5f0c...e1 --reason "a person asked"'))
@click.argument("task")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for your records.")
@node_option
@json_option
@network_option
@place_options
def takedown(place: Place, task: str, *, reason: str, node: int | None, as_json: bool) -> None:
    """Take the pictures of TASK down for good. TASK: a task id, or a picture with its receipt.

    They are overwritten on disk, with what the task was made from, and are not stored again; jurors of a dispute can
    not see them any more either. Copies that apps have, and backups, are out of reach.
    """
    from cuckoo.storage.lock import holder
    from cuckoo.storage.reports import open_reports

    folder = find_folder(place, node)
    with open_reports(folder) as book:
        order = book.order(_task(task), reason, time.time())
        if order.done_at is None and holder(folder) is not None:
            order = _carried_out(book, order)
    if as_json:
        print_json({"task": order.task_id, "done": order.done_at is not None, "pictures": order.blobs})
    elif order.done_at is not None:
        note(f"task {order.task_id}: {order.blobs} pictures are gone")
    else:
        note(f"task {order.task_id}: its pictures go when this coordinator runs again: cuckoo coordinator --key NAME")


def _carried_out(book: "ReportBook", order: "Takedown") -> "Takedown":
    """Wait until the running coordinator has done it; returns how it stands after ``WAIT_S`` at the latest."""
    until = time.monotonic() + WAIT_S
    while order.done_at is None and time.monotonic() < until:
        time.sleep(_PAUSE_S)
        order = next(one for one in book.takedowns() if one.task_id == order.task_id)
    return order


def _task(text: str) -> "TaskId":
    """Read the id of a task, from a picture too; raises ConfigError."""
    from cuckoo.domain.identifiers import parse_task_id
    from cuckoo.protocol.png import receipt_in

    try:
        if (file := Path(text)).is_file():
            return receipt_in(file.read_bytes()).assignment.task_id
        return parse_task_id(text)
    except (OSError, InvalidField) as error:
        raise ConfigError(f"take down {text}: {error}") from None


def _report_json(one: "Report") -> dict[str, Any]:
    return {
        "report": one.report_id,
        "came": _second(one.at),
        "task": one.task_id,
        "reason": one.reason,
        "contact": one.contact,
        "closed": None if one.closed_at is None else _second(one.closed_at),
        "outcome": one.outcome,
    }


def _second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
