"""What commands print: JSON for programs, tables for people; progress and notes go to standard error."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import msgspec
    from rich.console import Console


def print_json(value: Any) -> None:
    """Print one JSON object, indented on a terminal; wei and other large numbers must be strings already."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def as_builtins(message: "msgspec.Struct") -> Any:
    """Turn a struct of the protocol into plain values, as its JSON has them."""
    from cuckoo.protocol.messages import encode_json

    return json.loads(encode_json(message))


def shortened(amount: str) -> str:
    """Write decimal CAI for people: thousands grouped, at most four decimals."""
    whole, _, fraction = amount.partition(".")
    decimals = fraction[:4].rstrip("0")
    return f"{int(whole):,}" + (f".{decimals}" if decimals else "")


def note(text: str) -> None:
    """Tell people something that is no data, on standard error."""
    click.echo(text, err=True)


def plain(text: str) -> str:
    """Return a text, maybe a stranger's, without what could move a terminal's cursor or colour it."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table; columns named in ``right`` are aligned to the right.

    Cells are shown as they are, but for control characters.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    _console().print(table)


def _console() -> "Console":
    from rich.console import Console

    # Wide where there is no terminal, so that a pipe does not break addresses in two.
    width = None if sys.stdout.isatty() else 160
    return Console(file=sys.stdout, highlight=False, width=width)
