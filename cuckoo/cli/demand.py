"""``cuckoo miner demand``: which models apps ask for, at which prices, and how many miners serve them."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.options import Place, chain_options, examples, json_option, place_options
from cuckoo.cli.output import note, plain, print_json, print_table
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import ConfigError, PeerFault, TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuckoo.protocol.market import DemandView, ModelDemand

AT_ONCE = 16
MODELS_PRINTED = 40

Answers = dict[str, "DemandView | str"]
"""By origin what a coordinator says, or why it says nothing."""


@click.command(epilog=examples("cuckoo miner demand", "cuckoo miner demand --coordinator https://nest.example --json"))
@click.option("--coordinator", "origin", default="", metavar="URL", help="Ask this one.  [default: all on the chain]")
@json_option
@chain_options
@place_options
def demand(place: Place, origin: str, *, as_json: bool) -> None:
    """Show which models apps ask coordinators for, how often, at which price, and how many miners serve them now.

    Models that nobody serves are shown too: there is work for whoever brings them. ``miners`` is the most that any one
    coordinator has signed in, because a miner may serve several. Needs no key.
    """
    answers = asyncio.run(_ask(place, origin))
    heard = {one: answer for one, answer in answers.items() if not isinstance(answer, str)}
    if as_json:
        print_json({"models": merge(list(heard.values())), "coordinators": [_json(*one) for one in answers.items()]})
    else:
        for asked, answer in answers.items():
            if isinstance(answer, str):
                note(plain(f"{asked}: {answer}"))
        _print(list(heard.values()))
    if not heard:
        raise click.exceptions.Exit(1)


async def _ask(place: Place, origin: str) -> Answers:
    from cuckoo.client.app import AppClient

    origins = [origin] if origin else await _origins(place)
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(asked: str) -> "DemandView | str":
        try:
            async with limit, AppClient(asked) as client:
                return await client.demand()
        except (PeerFault, TransientError) as error:
            return str(error)

    return dict(zip(origins, await asyncio.gather(*map(one, origins)), strict=True))


async def _origins(place: Place) -> list[str]:
    from cuckoo.roles.chain import open_chain
    from cuckoo.services.mining.coordinators import callable_coordinators

    network = place.read_network()
    async with open_chain(network, place.rpc) as chain:
        found = callable_coordinators(chain.registry.coordinators(), network.chain_id)
    if not found:
        raise ConfigError(
            "ask coordinators: none on this network is eligible with a URL that may be called; name one with "
            "--coordinator"
        )
    return list(dict.fromkeys(one.origin for one in found.values()))


def merge(views: "Sequence[DemandView]") -> list[dict[str, Any]]:
    """Add up what coordinators say, by digest, or by name where a model has none; the most wanted first."""
    rows: dict[str, list[ModelDemand]] = {}
    for view in views:
        for one in view.models:
            rows.setdefault(one.digest or one.model, []).append(one)
    merged = [_merged(found) for found in rows.values()]
    return sorted(merged, key=lambda row: (-row["asked_day"], row["model"]))


def _merged(found: "Sequence[ModelDemand]") -> dict[str, Any]:
    least = [one.price_least_wei for one in found if one.price_least_wei is not None]
    most = [one.price_most_wei for one in found if one.price_most_wei is not None]
    rates = [one.rate_wei for one in found if one.rate_wei is not None]
    # Where a coordinator knows a name for it, that reads better than the digest.
    return {
        "model": min((one.model for one in found), key=lambda name: (name == found[0].digest, name)),
        "digest": found[0].digest,
        "asked_hour": sum(one.hour for one in found),
        "asked_day": sum(one.day for one in found),
        "refused_day": sum(one.refused_day for one in found),
        "waiting": sum(one.waiting for one in found),
        "miners": max(one.miners for one in found),
        "coordinators": len(found),
        "price_least": _cai(min(least, default=None)),
        "price_most": _cai(max(most, default=None)),
        "rate_least": _cai(min(rates, default=None)),
        "rate_most": _cai(max(rates, default=None)),
    }


def _cai(wei: Wei | None) -> str | None:
    return None if wei is None else format_cai(wei, grouped=False)


def _json(origin: str, answer: "DemandView | str") -> dict[str, Any]:
    if isinstance(answer, str):
        return {"url": origin, "error": answer}
    return {
        "url": origin,
        "node": answer.coordinator_node,
        "since": answer.since,
        "other_names": answer.other_names,
        "models": merge([answer]),
    }


def _print(views: "Sequence[DemandView]") -> None:
    rows = merge(views)
    if not rows:
        if views:
            note("nobody has asked for anything yet")
        return
    numbers = ("last hour", "last day", "refused", "waiting", "CAI a task", "CAI a megapixel-step", "miners")
    shown = [
        (
            short(row["model"]),
            f"{row['asked_hour']:,}",
            f"{row['asked_day']:,}",
            f"{row['refused_day']:,}",
            f"{row['waiting']:,}",
            _range(row["price_least"], row["price_most"]),
            _range(row["rate_least"], row["rate_most"]),
            str(row["miners"]) if row["digest"] else "nobody knows it",
        )
        for row in rows[:MODELS_PRINTED]
    ]
    print_table(("model", *numbers), shown, right=numbers)
    if rows[MODELS_PRINTED:]:
        note(f"and {len(rows) - MODELS_PRINTED} more: --json shows all")
    unserved = [short(row["model"]) for row in rows if not row["miners"]]
    if unserved:
        note(plain(f"served by nobody now: {', '.join(unserved[:8])}{' ...' if unserved[8:] else ''}"))
    others = sum(view.other_names for view in views)
    if others:
        note(f"{others:,} requests named models that are not listed here")


def short(name: str) -> str:
    """Cut a digest that stands in the place of a name."""
    return f"{name[:12]}..." if len(name) == 64 else name


def _range(least: str | None, most: str | None) -> str:
    if least is None or least == most:
        return least or ""
    return f"{least} to {most}"
