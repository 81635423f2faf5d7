"""Simulate a network, one run for each seed, and say what broke.

``python -m tests.simulation``                    10,000 seeds, then every planted fault
``python -m tests.simulation --seed 17``          one seed, with the shortest way to what it finds
``python -m tests.simulation --plant 3``          until a seed finds planted fault 3
"""

import argparse
import collections
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.planted import PLANTED, plant

SHOWN = 10
"""So many failing seeds are named."""

PLANTED_SEEDS = 400
"""So many seeds may look for a planted fault."""


def show(seed):
    """Print the shortest trace of a seed that fails."""
    from tests.simulation.plan import plan_of
    from tests.simulation.run import shortest

    plan, error, trace = shortest(plan_of(seed))
    print(f"\nseed {seed}: {type(error).__name__}: {error}")
    faults = "; ".join(f"{one.at_s:.1f} s {one}" for one in plan.faults) or "none"
    print(f"tasks by app: {plan.tasks}; faults: {faults}")
    print("\n".join(trace[-120:]))
    print(f"again: python -m tests.simulation --seed {seed}")


def every(seeds):
    """Run all seeds; returns those that fail."""
    from tests.simulation.run import quiet, run_seed

    began, total, failed = time.monotonic(), collections.Counter(), []
    with ProcessPoolExecutor(initializer=quiet) as workers:
        for at, (seed, error, counts) in enumerate(workers.map(run_seed, seeds, chunksize=8), 1):
            total.update(counts)
            if error:
                failed.append(seed)
                if len(failed) <= SHOWN:
                    print(f"seed {seed}: {error}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{at:,} of {len(seeds):,} seeds", end="", file=sys.stderr, flush=True)
            elif at % 1_000 == 0:
                print(f"{at:,} of {len(seeds):,} seeds", file=sys.stderr, flush=True)
    counts = ", ".join(f"{count:,} {name}" for name, count in total.items())
    print(f"{len(seeds):,} seeds in {time.monotonic() - began:.0f} s, {len(failed)} failed: {counts}")
    return failed


def first_to_fail(seeds):
    """Return (seed, error) of the first seed that fails; None when none does."""
    from tests.simulation.run import quiet, run_seed

    quiet()
    for seed in seeds:
        _, error, _ = run_seed(seed)
        if error:
            return seed, error
    return None


def hunt():
    """Plant every fault, each in a process of its own; returns how many were not found."""
    print("\n| planted fault | found by seed | as |\n|---|---|---|", flush=True)
    missed = 0
    for number, fault in enumerate(PLANTED):
        command = [sys.executable, "-m", "tests.simulation", "--plant", str(number), "--terse"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = done.stdout.strip() if done.returncode == 1 and not done.stderr else ""
        missed += not found
        print(f"| {fault.what} | {found or '**not found** | ' + done.stderr[-300:]} |", flush=True)
    print(f"{len(PLANTED) - missed} of {len(PLANTED)} planted faults found")
    return missed


def main():
    """Exit code 1 when a seed fails, or a planted fault is not found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many (10,000)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--plant", type=int, metavar="N", help=f"look for planted fault 0 to {len(PLANTED) - 1}")
    parser.add_argument("--no-plant", action="store_true", help="leave the planted faults out")
    parser.add_argument("--terse", action="store_true", help="no trace")
    wanted = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is a part of a run
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]], environment)
    if wanted.plant is not None:
        plant(wanted.plant)
    if wanted.plant is not None or wanted.seed is not None:
        seeds = range(1, PLANTED_SEEDS + 1) if wanted.seed is None else [wanted.seed]
        found = first_to_fail(seeds)
        if found and wanted.terse:
            print(f"{found[0]} | {found[1]}")
        elif found:
            show(found[0])
        return int(found is not None)
    failed = every(range(wanted.first, wanted.first + wanted.seeds))
    if failed:
        show(failed[0])
    missed = 0 if wanted.no_plant else hunt()
    return int(bool(failed or missed))


if __name__ == "__main__":
    sys.exit(main())
