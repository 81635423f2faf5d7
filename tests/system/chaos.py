"""Kill processes of a priced network at random moments: ``python -m tests.system.chaos [--kills 200] [--seed N]``.

Apps ask for pictures all the while and remember every answer. At the end their memory is compared with the
coordinator's database, its ledger with every miner's and with the chain. Exit code 1 when anything differs.
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from pathlib import Path

from cuckoo.runtime.logging import configure_logging
from tests.support import processes
from tests.support.chaos import DISK_FULL, KINDS, MONEY, Chaos, Load, plan_of
from tests.support.processes import Town, until
from tests.support.reckoning import check_ledger, reckon

ALL_ENDED_S = 240.0


async def chaos(folder, *, kills, disk_full, seed, miners=2, apps=6, say=print):
    """Found a town, strike it, and reckon.

    Returns:
        (strikes by kind, Reckoning); what was wrong at any time stands in the reckoning.
    """
    rng = random.Random(seed)
    processes.ENVIRONMENT = MONEY
    town = Town(folder)
    try:
        await town.found(miners=miners)
        load = Load(town.origin, random.Random(rng.getrandbits(64)), apps)
        strikes = Chaos(town, load, rng, say)
        apps_at_work = asyncio.create_task(load.run())
        striking = asyncio.create_task(strikes.strike(plan_of(rng, kills, disk_full)))
        await asyncio.wait({apps_at_work, striking}, return_when=asyncio.FIRST_COMPLETED)
        if apps_at_work.done():
            striking.cancel()
            apps_at_work.result()
        striking.result()
        await until(lambda: _ended(apps_at_work), ALL_ENDED_S, what="every task to end")
        await town.signed_in(miners)
        await load.look_again()
        outcome = await _reckon(town, load)
    finally:
        town.stop()
    outcome.wrong += [*load.broken, *strikes.surprises]
    return strikes.strikes, outcome


async def _ended(task):
    if task.done():
        task.result()
    return task.done()


async def _reckon(town, load):
    """Stop the roles, so that nothing moves any more, and compare."""
    names = [name for name in town.processes if name != "devnet"]
    codes = {name: await asyncio.to_thread(town.processes[name].stop) for name in reversed(names)}
    (directory,) = (town.folder / "coordinator").glob("*/coordinator-*")
    outcome = reckon(directory, load.told)
    outcome.wrong += [f"{name} ended with exit code {code} when it was told to" for name, code in codes.items() if code]
    for name in names:
        wrong, _ = await check_ledger(town, name, "miner" if name.startswith("miner") else "coordinator")
        outcome.wrong += [wrong] if wrong else []
    return outcome


def table(strikes, outcome, seconds):
    """Return the lines of what came out."""
    rows = [
        *((f"kill -9 of {kind}", strikes[kind]) for kind in KINDS),
        ("kill -9, all", sum(strikes[kind] for kind in KINDS)),
        (DISK_FULL, strikes[DISK_FULL]),
        *((kind, count) for kind, count in sorted(strikes.items()) if kind not in (*KINDS, DISK_FULL)),
        ("tasks acknowledged", outcome.acknowledged),
        *((f"tasks {status}", outcome.ended[status]) for status in ("done", "failed", "cancelled")),
        ("tasks still open", outcome.ended["queued"] + outcome.ended["running"]),
        ("tasks lost", len(outcome.lost)),
        ("results paid", outcome.paid),
        ("paid twice", len(outcome.twice)),
        ("other differences", len(outcome.wrong)),
        ("minutes", f"{seconds / 60:.1f}"),
    ]
    return [f"{name:<24} {value:>8}" for name, value in rows]


def main():
    """Read the command line, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--disk-full", type=int, default=10, help="how often a disk fills up besides")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--miners", type=int, default=2)
    parser.add_argument("--apps", type=int, default=6)
    parser.add_argument("--keep", type=Path, help="an empty folder whose logs and data stay")
    given = parser.parse_args()
    configure_logging("warning")
    seed = secrets.randbits(32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cuckoo-chaos-") as temporary:
        strikes, outcome = asyncio.run(
            chaos(
                given.keep or Path(temporary),
                kills=given.kills,
                disk_full=given.disk_full,
                seed=seed,
                miners=given.miners,
                apps=given.apps,
                say=lambda line: print(line, flush=True),
            )
        )
    print(*table(strikes, outcome, time.monotonic() - started), sep="\n")
    print(*outcome.lost, *outcome.twice, *outcome.wrong, sep="\n")
    sys.exit(0 if outcome.clean else 1)


if __name__ == "__main__":
    main()
