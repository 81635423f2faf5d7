"""``cuckoo coordinator keys``: the API keys of apps, and where an app's own key is found."""

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.options import Place, examples, json_option, network_option, place_options
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.domain.amounts import format_cai, parse_cai
from cuckoo.domain.errors import ConfigError

if TYPE_CHECKING:
    from cuckoo.storage.keys import ApiKey
    from cuckoo.storage.usage import Usage

VARIABLE = "CUCKOO_API_KEY"

node_option = click.option(
    "--node",
    type=click.IntRange(1, 2**32 - 1),
    help="The coordinator's node; needed before its first start, and where this machine has several.",
)


@click.group("keys")
def api_keys() -> None:
    """API keys: which apps may ask this coordinator for pictures, and how much.

    Works while the coordinator runs, which takes changes up within two seconds, and while it does not.
    """


@api_keys.command(
    epilog=examples(
        "cuckoo coordinator keys create shop",
        "cuckoo coordinator keys create shop --spend-per-day 50 --open-tasks 20 > shop.key",
    )
)
@click.argument("name")
@click.option(
    "--requests",
    "requests_per_minute",
    type=click.IntRange(1, 1_000_000),
    default=600,
    show_default=True,
    help="Requests a minute.",
)
@click.option(
    "--open-tasks",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Tasks that may wait or run at a time; as many event streams.",
)
@click.option(
    "--spend-per-day",
    metavar="CAI",
    help="What its tasks may cost in a day (UTC), those that are open at their full price.  [default: no limit]",
)
@node_option
@json_option
@network_option
@place_options
def create(place: Place, name: str, *, node: int | None, spend_per_day: str | None, as_json: bool, **most: int) -> None:
    """Make an API key called NAME and print it: this once, since only its hash is kept."""
    from cuckoo.storage.keys import Limits, open_keys

    limits = Limits(spend_per_day_wei=None if spend_per_day is None else parse_cai(spend_per_day), **most)
    with open_keys(find_folder(place, node)) as book:
        secret, key = book.create(name, limits, time.time())
    if as_json:
        print_json({"key": secret, **_json(key)})
        return
    click.echo(secret)
    note(f'API key "{name}": this is the only time that it is shown; an app sends it as "Authorization: Bearer KEY"')


@api_keys.command("list", epilog=examples("cuckoo coordinator keys list", "cuckoo coordinator keys list --json"))
@node_option
@json_option
@network_option
@place_options
def list_keys(place: Place, *, node: int | None, as_json: bool) -> None:
    """Show all API keys: their limits, and what their tasks came to."""
    from cuckoo.storage.keys import open_keys
    from cuckoo.storage.usage import NOTHING

    folder = find_folder(place, node)
    with open_keys(folder) as book:
        keys = book.read()
    ever, today = asyncio.run(_usage(folder))
    shown = [(key, ever.get(key.key_id, NOTHING), today.get(key.key_id, NOTHING)) for key in keys]
    if as_json:
        print_json({"keys": [{**_json(key), "usage": _usage_json(*used)} for key, *used in shown]})
        return
    numbers = ("requests/min", "open tasks", "CAI/day", "tasks", "pictures", "CAI spent", "CAI today")
    rows = [
        (
            key.name,
            _day(key.created_at),
            "valid" if key.revoked_at is None else f"revoked {_day(key.revoked_at)}",
            f"{key.limits.requests_per_minute:,}",
            f"{key.limits.open_tasks:,}",
            "no limit" if key.limits.spend_per_day_wei is None else format_cai(key.limits.spend_per_day_wei),
            f"{used.tasks:,}",
            f"{used.pictures:,}",
            format_cai(used.spent_wei),
            format_cai(now.spent_wei),
        )
        for key, used, now in shown
    ]
    if rows:
        print_table(("name", "created", "state", *numbers), rows, right=numbers)
    else:
        note("there are no API keys: cuckoo coordinator keys create NAME")


@api_keys.command(epilog=examples("cuckoo coordinator keys revoke shop"))
@click.argument("name")
@node_option
@json_option
@network_option
@place_options
def revoke(place: Place, name: str, *, node: int | None, as_json: bool) -> None:
    """End the API key called NAME for good. Its open tasks go on; nobody can read them any more."""
    from cuckoo.storage.keys import open_keys

    with open_keys(find_folder(place, node)) as book:
        key = book.revoke(name, time.time())
    if as_json:
        print_json(_json(key))
    else:
        note(f'API key "{name}" is revoked; a running coordinator refuses it within two seconds')


def find_folder(place: Place, node: int | None) -> Path:
    """Return the data folder of a coordinator; with ``node`` also before it was made.

    Raises:
        ConfigError: this machine has none, or several.
    """
    root = place.data_dir / place.read_network().name
    if node is not None:
        return root / f"coordinator-{node}"
    found = sorted(folder for folder in root.glob("coordinator-*") if folder.is_dir())
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(
            f"find the data folder: no coordinator has started here yet, there is none in {root}: name its node with "
            "--node (cuckoo stake nodes --role coordinator)"
        )
    names = ", ".join(folder.name.removeprefix("coordinator-") for folder in found)
    raise ConfigError(f"find the data folder: this machine has several coordinators ({names}): name one with --node")


async def _usage(folder: Path) -> tuple[dict[int, "Usage"], dict[int, "Usage"]]:
    """Read what all keys used, ever and today."""
    from cuckoo.storage.books import open_books
    from cuckoo.storage.usage import day_of, read_usage
    from cuckoo.storage.writer import DATABASE_NAME

    if not (folder / DATABASE_NAME).is_file():
        return {}, {}
    async with open_books(folder) as reader:
        ever = await reader.execute(read_usage())
        return ever, await reader.execute(read_usage(since_day=day_of(time.time())))


def _json(key: "ApiKey") -> dict[str, Any]:
    spend_wei = key.limits.spend_per_day_wei
    return {
        "name": key.name,
        "created": _second(key.created_at),
        "revoked": None if key.revoked_at is None else _second(key.revoked_at),
        "requests_per_minute": key.limits.requests_per_minute,
        "open_tasks": key.limits.open_tasks,
        "spend_per_day": None if spend_wei is None else format_cai(spend_wei, grouped=False),
    }


def _usage_json(ever: "Usage", today: "Usage") -> dict[str, Any]:
    return {
        "tasks": ever.tasks,
        "pictures": ever.pictures,
        "spent": format_cai(ever.spent_wei, grouped=False),
        "spent_today": format_cai(today.spent_wei, grouped=False),
    }


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _second(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def find_api_key(reference: str | None) -> str | None:
    """Return an app's own key, which is never on the command line, where every process could read it.

    Args:
        reference: a file with the key in its first line, or ``env:NAME``; None for ``CUCKOO_API_KEY``, if it is set.

    Raises:
        ConfigError: there is no such file or variable, or it is empty, or the key itself was given.
    """
    if reference is None:
        return os.environ.get(VARIABLE, "").strip() or None
    if reference.startswith("cuckoo_"):
        raise ConfigError(
            f"read the API key: --api-key takes a file or env:NAME, since every process can read a command line; "
            f"put the key into a file or into {VARIABLE}"
        )
    if reference.startswith("env:"):
        found = os.environ.get(reference[4:], "")
    else:
        try:
            found = Path(reference).expanduser().read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"read the API key from {reference}: {error}") from None
    if not found.strip():
        raise ConfigError(f"read the API key from {reference}: it is empty")
    return found.strip()
