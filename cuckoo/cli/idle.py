"""``cuckoo miner why-idle``: for every task of the last hour that a miner did not get, the reason."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.ledger import find_books, node_option
from cuckoo.cli.options import Place, chain_options, examples, json_option, place_options
from cuckoo.cli.output import note, plain, print_json, print_table
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import ConfigError, FatalError

if TYPE_CHECKING:
    from pathlib import Path

    from cuckoo.protocol.market import MissedTask
    from cuckoo.services.mining.idle import IdleAt, IdleReport

ANSWER_S = 60.0
_LOOK_S = 0.1
_TASKS_PRINTED = 50

_REASONS = {
    "lost": ("it stood in the draw, and another won", "nothing: draws are by stake"),
    "taken_back": ("its app took it back before anybody was drawn", ""),
}
_ADVICE = {
    "not_signed_in": "let it run; see its log where it did",
    "silent": "look at this machine's network",
    "no_weight": "cuckoo stake nodes says what is missing",
    "unhealthy": "its log says what failed; it recovers with time",
    "no_poll": "its slots were offered to another coordinator, or it was between two polls",
    "slots_taken": "nothing: it was busy; more devices would do more",
    "model_not_loaded": "serve it with --model; cuckoo miner demand shows what is wanted",
    "too_many_pixels": "cuckoo miner doctor measures what fits this device",
    "too_many_steps": "the model's entry in models.toml limits its steps",
    "price_too_low": "lower min_price",
    "escrow_too_low": "redeem what it owes; more is for the coordinator to ring-fence",
}


@click.command(name="why-idle", epilog=examples("cuckoo miner why-idle", "cuckoo miner why-idle --tasks"))
@click.option("--tasks", "with_tasks", is_flag=True, help="Print the newest tasks one by one, too.")
@node_option
@json_option
@chain_options
@place_options
def why_idle(place: Place, node: int | None, *, with_tasks: bool, as_json: bool) -> None:
    """Say for every task that a running miner did not get in the last hour why it went elsewhere.

    The miner asks the coordinators that it is signed in with; they answer from their draws. What they say of a draw can
    be checked when its period is over: cuckoo verify. Needs no key.
    """
    from cuckoo.storage.lock import holder

    _, number, folder = find_books(place, "miner", node)
    if holder(folder) is None:
        raise ConfigError(f"ask miner {number} why it is idle: it does not run; start it: cuckoo miner --key KEY")
    report = ask(folder)
    if as_json:
        print_json(_json(report))
        return
    for one in report.coordinators:
        note(plain(_standing(one)))
    if not report.coordinators:
        note("no coordinator is known that may be called: none is eligible with a URL on this network")
    _print(report, with_tasks=with_tasks)


def ask(folder: "Path", patience_s: float = ANSWER_S) -> "IdleReport":
    """Put the question to the miner that works in a folder, and wait for its answer.

    Raises:
        FatalError: it does not answer in time.
    """
    import msgspec

    from cuckoo.services.mining.idle import ABOUT, IdleReport
    from cuckoo.storage import questions

    try:
        token = questions.ask(folder, ABOUT)
    except OSError as error:
        raise ConfigError(f"ask the miner in {folder}: {error.strerror}") from None
    until = time.monotonic() + patience_s
    while (answer := questions.answered(folder, ABOUT, token)) is None:
        if time.monotonic() > until:
            raise FatalError(f"ask the miner in {folder}: no answer within {patience_s:.0f} s; its log may say why")
        time.sleep(_LOOK_S)
    return msgspec.json.decode(answer, type=IdleReport)


def _standing(one: "IdleAt") -> str:
    where = f"coordinator {one.coordinator} ({one.origin})"
    if one.stopped:
        return f"{where}: no work is taken from it: {one.stopped}"
    if one.problem:
        return f"{where}: {one.problem}"
    return f"{where}: signed in, " + ("slots are offered to it" if one.chosen else "slots are offered to others now")


def said(reason: str) -> str:
    """Say a reason to a person."""
    from cuckoo.scheduler.eligibility import Exclusion

    known = {one.name.lower(): one.sentence for one in Exclusion}
    return _REASONS[reason][0] if reason in _REASONS else known.get(reason, reason)


def _tasks(report: "IdleReport") -> "list[tuple[int, MissedTask]]":
    found = [(one.coordinator, task) for one in report.coordinators if one.missed for task in one.missed.tasks]
    return sorted(found, key=lambda row: -row[1].at)


def _print(report: "IdleReport", *, with_tasks: bool) -> None:
    views = [one.missed for one in report.coordinators if one.missed is not None]
    if not views:
        return
    counts: Counter[str] = Counter()
    for view in views:
        counts.update(view.counts)
    total, won, since = counts.total(), sum(view.won for view in views), _clock(min(view.since for view in views))
    if not total:
        note(f"since {since} UTC no task went elsewhere; this miner got {won:,}")
        return
    tasks = _tasks(report)
    rows = []
    for reason, count in counts.most_common():
        odds = [task.odds for _, task in tasks if task.reason == reason and task.odds]
        chance = f"; its odds were {sum(odds) / len(odds):.1%} on average" if odds else ""
        advice = _ADVICE.get(reason) or (_REASONS[reason][1] if reason in _REASONS else "")
        rows.append((f"{count:,}", f"{count / total:.0%}", said(reason) + chance, advice))
    print_table(("tasks", "share", "why", "what to do"), rows, right=("tasks", "share"))
    if with_tasks:
        _print_tasks(tasks)
    note(f"since {since} UTC {total:,} tasks did not come to this miner; it got {won:,}")


def _print_tasks(tasks: "list[tuple[int, MissedTask]]") -> None:
    from cuckoo.cli.demand import short

    rows = [
        (
            _clock(task.at),
            str(coordinator),
            task.task_id,
            short(task.model),
            f"{task.pixels:,} px x {task.steps}" + (f" x {task.pictures}" if task.pictures > 1 else ""),
            format_cai(task.price_wei),
            task.reason,
            f"{task.odds:.1%}" if task.odds else "",
            f"{task.winner} of {task.candidates}" if task.winner is not None else "",
        )
        for coordinator, task in tasks[:_TASKS_PRINTED]
    ]
    columns = ("UTC", "coordinator", "task", "model", "size", "CAI", "why", "own odds", "won by")
    print_table(columns, rows, right=("coordinator", "size", "CAI", "own odds"))
    if tasks[_TASKS_PRINTED:]:
        note(f"and {len(tasks) - _TASKS_PRINTED:,} older ones: --json shows them")


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def _json(report: "IdleReport") -> dict[str, Any]:
    import msgspec

    def task(one: "MissedTask") -> dict[str, Any]:
        row: dict[str, Any] = msgspec.to_builtins(one)
        row["price"] = format_cai(row.pop("price_wei"), grouped=False)
        return {**row, "why": said(one.reason)}

    def coordinator(one: "IdleAt") -> dict[str, Any]:
        row: dict[str, Any] = msgspec.to_builtins(one)
        del row["missed"]
        if one.missed is None:
            return row
        view = one.missed
        return {
            **row,
            "since": view.since,
            "won": view.won,
            "counts": view.counts,
            "tasks": [task(missed) for missed in view.tasks],
        }

    return {"node": report.node, "at": report.at, "coordinators": [coordinator(one) for one in report.coordinators]}
