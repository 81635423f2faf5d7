"""``python -m tests.simulation [--seeds 10000] [--first 1] [--seed N] [--faults]``: see docs/reliability.md."""

import argparse
import collections
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.plan import plan_of
from tests.simulation.run import quiet, run_seed, shortest


def show(seed):
    """Print the shortest trace of a seed that fails."""
    plan, error, trace = shortest(plan_of(seed))
    print(f"\nseed {seed}: {type(error).__name__}: {error}")
    print(f"tasks by app: {plan.tasks}; faults: {'; '.join(f'{one.at_s:.1f} s {one}' for one in plan.faults) or 'none'}")
    print("\n".join(trace[-120:]))


def main():
    """Run seeds; exit code 1 when any of them fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="only this one, with its shortest trace when it fails")
    wanted = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    quiet()
    if wanted.seed is not None:
        _, error, counts = run_seed(wanted.seed)
        print(counts)
        if error:
            show(wanted.seed)
        return int(bool(error))
    began, total, failed = time.monotonic(), collections.Counter(), []
    seeds = range(wanted.first, wanted.first + wanted.seeds)
    with ProcessPoolExecutor(initializer=quiet) as workers:
        for at, (seed, error, counts) in enumerate(workers.map(run_seed, seeds, chunksize=8), 1):
            total.update(counts)
            if error:
                failed.append(seed)
                print(f"seed {seed}: {error}", flush=True)
            if sys.stderr.isatty() or at % 500 == 0:
                print(f"\r{at:,} of {wanted.seeds:,} seeds", end="" if sys.stderr.isatty() else "\n", file=sys.stderr)
    print(f"{wanted.seeds:,} seeds in {time.monotonic() - began:.0f} s: {len(failed)} failed; "
          + ", ".join(f"{count:,} {name}" for name, count in total.items()))
    if failed:
        show(failed[0])
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
