"""``cuckoo ledger``: the rows of a role's ledger, and whether ledger, vouchers and chain agree. No key is needed."""

import asyncio
import csv
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cuckoo.cli.chain import open_client
from cuckoo.cli.options import Place, chain_options, examples, json_option, place_options
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.cli.wallet import find_address
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId, Role

if TYPE_CHECKING:
    from cuckoo.services.bookkeeping.checking import Outcome
    from cuckoo.storage.records import Entry

Command = TypeVar("Command", bound=Callable[..., Any])

node_option = click.option(
    "--node", type=click.IntRange(1, 2**32 - 1), help="Whose, where this machine has data of several."
)
csv_option = click.option("--csv", "csv_to", metavar="FILE|-", help="Write all of it as CSV; - for standard output.")


def _whose(command: Command) -> Command:
    role = click.option(
        "--role", type=click.Choice(["coordinator", "miner"]), help="Whose ledger.  [default: the one that is there]"
    )
    return role(node_option(command))


@click.group()
def ledger() -> None:
    """Every balance change of a coordinator, miner or staker, and whether the chain agrees with the first two.

    Works while the role runs, and after it was killed. Needs no key.
    """


@ledger.command(
    epilog=examples(
        "cuckoo ledger show",
        "cuckoo ledger show --role miner --since 2026-01-01 --csv 2026.csv",
        "cuckoo ledger show --staker alice --json",
    )
)
@_whose
@click.option("--staker", default="", metavar="WHO", help="The ledger of a staker instead: name of a key, or address.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only what happened from then on (UTC).",
)
@click.option("--limit", type=click.IntRange(0), help="At most so many of the newest rows, 0 for all.  [default: 50]")
@csv_option
@json_option
@chain_options
@place_options
def show(
    place: Place,
    role: str | None,
    node: int | None,
    staker: str,
    since: datetime | None,
    limit: int | None,
    csv_to: str | None,
    *,
    as_json: bool,
) -> None:
    """Print rows, the oldest first. ``sum``: of the account with that node up to the row."""
    from cuckoo.storage.books import open_books
    from cuckoo.storage.ledger import Ledger

    folder = _find_staker(place, staker) if staker else find_books(place, role, node)[2]
    most = limit if limit is not None else 0 if csv_to else 50
    start = since.replace(tzinfo=UTC).timestamp() if since else 0.0

    async def read() -> "list[Entry]":
        async with open_books(folder) as reader:
            return await Ledger(reader).newest(most or -1, since=start)

    rows = [_row(entry) for entry in asyncio.run(read())]
    if csv_to:
        write_csv(csv_to, list(_row_names()), [list(row.values()) for row in rows])
    if as_json:
        print_json(rows)
    elif not csv_to and rows:
        table = [tuple("" if value is None else str(value) for value in list(row.values())[:7]) for row in rows]
        print_table(_row_names()[:7], table, right=("with", "cai", "sum"))
    elif not csv_to:
        note("nothing is booked yet")


def _row_names() -> tuple[str, ...]:
    return ("time", "account", "kind", "with", "cai", "sum", "task", "attempt", "reference", "model")


def _row(entry: "Entry") -> dict[str, Any]:
    values = (
        f"{datetime.fromtimestamp(entry.at, UTC):%Y-%m-%d %H:%M:%S}",
        entry.account,
        entry.kind,
        entry.counterparty,
        format_cai(entry.amount_wei, grouped=False),
        format_cai(entry.cumulative_wei, grouped=False),
        entry.task_id,
        entry.attempt,
        entry.reference,
        entry.model or None,
    )
    return dict(zip(_row_names(), values, strict=True))


@ledger.command(epilog=examples("cuckoo ledger check", "cuckoo ledger check --role coordinator --json"))
@_whose
@json_option
@chain_options
@place_options
def check(place: Place, role: str | None, node: int | None, *, as_json: bool) -> None:
    """Compare ledger, vouchers and chain to the wei; exit code 1 with a table where they differ."""
    kind, number, folder = find_books(place, role, node)

    async def run() -> "Outcome":
        from cuckoo.chain.escrow import NodeEscrow
        from cuckoo.services.bookkeeping.checking import check
        from cuckoo.storage.books import open_books

        async with open_books(folder) as reader, open_client(place) as client:
            return await check(kind, reader, NodeEscrow(client, kind, number))

    outcome = asyncio.run(run())
    if as_json:
        print_json(_outcome_json(outcome, number))
    else:
        _print_outcome(outcome, number)
    if outcome.differences:
        click.get_current_context().exit(1)


def _print_outcome(outcome: "Outcome", node: NodeId) -> None:
    who = "coordinator" if outcome.role is Role.MINER else "miner"
    rows = [
        (
            str(one.counterparty),
            format_cai(one.promised_wei),
            format_cai(one.account.redeemed_wei),
            format_cai(one.waiting_wei),
            format_cai(one.account.balance_wei),
            format_cai(one.account.thawing_wei),
        )
        for one in outcome.standings
    ]
    columns = (who, "promised", "redeemed", "waiting", "held ready", "thawing")
    if rows:
        print_table(columns, rows, right=columns)
    name = f"{outcome.role.name.lower()} {node}"
    if not outcome.differences:
        note(f"{name}: ledger, vouchers and chain agree to the wei at block {outcome.block:,}")
    else:
        note(f"{name}: {len(outcome.differences)} differences at block {outcome.block:,}")
        found = [
            (
                str(one.counterparty),
                one.what,
                f"{one.left}: {format_cai(one.left_wei)}",
                f"{one.right}: {format_cai(one.right_wei)}",
                format_cai(one.left_wei - one.right_wei),
                one.meaning,
            )
            for one in outcome.differences
        ]
        print_table((who, "what", "here", "there", "difference", "meaning"), found, right=("difference",))
    if outcome.pending:
        note(f"{outcome.pending} movements on chain are counted and not booked yet: their blocks are too new")


def _outcome_json(outcome: "Outcome", node: NodeId) -> dict[str, Any]:
    def cai(wei: int) -> str:
        return format_cai(wei, grouped=False)

    return {
        "agree": not outcome.differences,
        "role": outcome.role.name.lower(),
        "node": node,
        "block": outcome.block,
        "booked_to": outcome.booked_to,
        "not_booked_yet": outcome.pending,
        "accounts": [
            {
                "with": one.counterparty,
                "promised": cai(one.promised_wei),
                "redeemed": cai(one.account.redeemed_wei),
                "waiting": cai(one.waiting_wei),
                "held_ready": cai(one.account.balance_wei),
                "thawing": cai(one.account.thawing_wei),
                "kept_for_stakers": cai(one.account.fees_wei),
            }
            for one in outcome.standings
        ],
        "differences": [
            {
                "with": one.counterparty,
                "what": one.what,
                one.left: cai(one.left_wei),
                one.right: cai(one.right_wei),
                "difference": cai(one.left_wei - one.right_wei),
                "meaning": one.meaning,
            }
            for one in outcome.differences
        ],
    }


def find_books(place: Place, role: str | None, node: int | None) -> tuple[Role, NodeId, Path]:
    """Find a role's data folder on the network of the flags.

    Raises:
        ConfigError: there is none, or several: says which.
    """
    from cuckoo.storage.writer import DATABASE_NAME

    root = place.data_dir / place.read_network().name
    found = []
    for file in sorted(root.glob(f"*-*/{DATABASE_NAME}")):
        kind, _, number = file.parent.name.partition("-")
        wanted = kind in ("coordinator", "miner") and number.isdigit() and role in (None, kind)
        if wanted and node in (None, int(number)):
            found.append((Role[kind.upper()], NodeId(int(number)), file.parent))
    if len(found) == 1:
        return found[0]
    what = f"read the ledger of {f'a {role}' if role else 'this machine'}{f', node {node}' if node else ''}"
    if not found:
        raise ConfigError(f"{what}: there is none in {root}; the role makes it at its first start")
    names = ", ".join(folder.name for _, _, folder in found)
    raise ConfigError(f"{what}: there are several ({names}): name one with --role and --node")


def _find_staker(place: Place, who: str) -> Path:
    """Find the data folder of the staker role of a wallet; raises ConfigError when there is none."""
    from cuckoo.storage.writer import DATABASE_NAME

    folder = place.data_dir / place.read_network().name / f"staker-{find_address(place, who)}"
    if not (folder / DATABASE_NAME).exists():
        raise ConfigError(f"read the ledger of staker {who}: there is no {folder}; cuckoo staker makes it")
    return folder


def write_csv(target: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table as CSV (UTF-8, commas) to a file, or to standard output for "-".

    Raises:
        ConfigError: the file can not be written.
    """
    with ExitStack() as files:
        try:
            out = (
                sys.stdout
                if target == "-"
                else files.enter_context(Path(target).expanduser().open("w", newline="", encoding="utf-8"))
            )
        except OSError as error:
            raise ConfigError(f"write {target}: {error}") from None
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    if target != "-":
        note(f"{len(rows):,} rows written to {target}")
