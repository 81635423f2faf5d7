"""Speed, in one table: ``python -m tests.bench [ROW ...]``; without rows, all of them.

Ratios come first and are what counts: both sides of each are measured in the same run, in turns where that is possible.
Exit code 1 when a ratio misses its bar.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import RATIO, Options, machine, show_machine, show_row

ROWS = ("draws", "store", "chain", "parts", "control", "parked", "restart", "portal", "inference")


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="raw numbers; other rows in it are kept")
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()), help="on the disk to measure")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--miners", type=int, nargs="*", default=[10, 100, 1_000, 10_000], help="of row control")
    parser.add_argument("--sync-miners", type=int, default=10_000, help="of row chain")
    given = parser.parse_args()
    unknown = set(given.rows) - set(ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    options = Options(given.directory, given.seconds, given.rounds, tuple(given.miners), given.sync_miners)
    known = json.loads(given.json.read_text()) if given.json.exists() else {}
    missed = False
    for name in given.rows or ROWS:
        state = machine()
        print(f"# {name}: {show_machine(state)}", flush=True)
        start = time.perf_counter()
        row = importlib.import_module(f"tests.bench.{name}").measure(options)
        took_s = round(time.perf_counter() - start)
        print("\n".join(show_row(name, row)), f"\n{name:<8} took {took_s} s", flush=True)
        known[name] = {"machine": state, "took_s": took_s, **row.as_json()}
        given.json.write_text(json.dumps(known, indent=1) + "\n")
        missed |= any(figure.unit == RATIO and figure.met is False for figure in row.figures)
    print(f"raw numbers: {given.json}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
