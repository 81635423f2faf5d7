"""``cuckoo miner earnings``: what a miner earned, what was redeemed of it, and what waits in vouchers."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.ledger import csv_option, find_books, node_option, write_csv
from cuckoo.cli.options import Place, chain_options, examples, json_option, place_options
from cuckoo.cli.output import print_json, print_table
from cuckoo.domain.amounts import format_cai

if TYPE_CHECKING:
    from cuckoo.services.bookkeeping.earnings import Earnings, Total


@click.command(epilog=examples("cuckoo miner earnings", "cuckoo miner earnings --csv earnings.csv"))
@node_option
@csv_option
@json_option
@chain_options
@place_options
def earnings(place: Place, node: int | None, csv_to: str | None, *, as_json: bool) -> None:
    """Sum up what was earned and redeemed: today, in 7 and 30 days (UTC), in all; by coordinator, by model.

    ``waiting`` is what vouchers hold and the chain has not paid. The CSV has a row a day, coordinator and model. Works
    while the miner runs, and after it was killed. Needs no key.
    """
    from cuckoo.services.bookkeeping.earnings import read_earnings
    from cuckoo.storage.books import open_books

    _, _, folder = find_books(place, "miner", node)

    async def read() -> "Earnings":
        async with open_books(folder) as reader:
            return await read_earnings(reader, time.time())

    found = asyncio.run(read())
    names = _model_names()
    if csv_to:
        columns = ("day", "coordinator", "model", "results", "earned", "redeemed")
        rows = [
            (
                day.day.isoformat(),
                day.coordinator,
                names.get(day.model, day.model),
                day.results,
                format_cai(day.earned_wei, grouped=False),
                format_cai(day.redeemed_wei, grouped=False),
            )
            for day in found.days
        ]
        write_csv(csv_to, columns, rows)
    if as_json:
        print_json(_json(found, names))
    elif not csv_to:
        _print(found, names)


def _model_names() -> dict[str, str]:
    from cuckoo.inference.models import load_registry

    return {model.digest: model.name for model in load_registry().values()}


def _print(found: "Earnings", names: dict[str, str]) -> None:
    columns = ("results", "earned", "redeemed", "waiting")
    waiting = sum(found.waiting_wei.values())
    rows = [
        (name, *_cells(one), format_cai(waiting) if name == "total" else "") for name, one in found.periods().items()
    ]
    print_table(("", *columns), rows, right=columns)
    by_node = [
        (str(node), *_cells(one), format_cai(found.waiting_wei.get(node, 0)))
        for node, one in found.by_coordinator().items()
    ]
    if by_node:
        print_table(("coordinator", *columns), by_node, right=("coordinator", *columns))
    by_model = [(names.get(model, model) or "not known", *_cells(one)[:2]) for model, one in found.by_model().items()]
    if by_model:
        print_table(("model", "results", "earned"), by_model, right=("results", "earned"))


def _cells(one: "Total") -> tuple[str, str, str]:
    return f"{one.results:,}", format_cai(one.earned_wei), format_cai(one.redeemed_wei)


def _json(found: "Earnings", names: dict[str, str]) -> dict[str, Any]:
    def entry(one: "Total") -> dict[str, Any]:
        return {
            "results": one.results,
            "earned": format_cai(one.earned_wei, grouped=False),
            "redeemed": format_cai(one.redeemed_wei, grouped=False),
        }

    return {
        "waiting": format_cai(sum(found.waiting_wei.values()), grouped=False),
        "periods": {name.replace(" ", "_"): entry(one) for name, one in found.periods().items()},
        "coordinators": [
            {
                "coordinator": node,
                **entry(one),
                "waiting": format_cai(found.waiting_wei.get(node, 0), grouped=False),
            }
            for node, one in found.by_coordinator().items()
        ],
        "models": [
            {"model": names.get(model, model) or None, "results": one.results, "earned": entry(one)["earned"]}
            for model, one in found.by_model().items()
        ],
    }
