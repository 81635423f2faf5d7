"""Draw docs/pictures/speed.png from the raw numbers of a run: ``python -m tests.bench.plot [FILE]``."""

import json
import sys
from pathlib import Path

import matplotlib as mpl

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURE = DOCS / "pictures" / "speed.png"
BLUE, ORANGE, GREY = "tab:blue", "tab:orange", "tab:gray"


def _draws(axes, rows):
    miners = [row["miners"] for row in rows]
    for key, label, colour in (
        ("choices_us", "random.choices", GREY),
        ("numpy_us", "numpy", ORANGE),
        ("tree_us", "Cuckoo, with removal and return", BLUE),
    ):
        axes.plot(miners, [row[key] for row in rows], "o-", color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="miners", ylabel="µs a draw", title="Draws")
    axes.legend(frameon=False)


def _control(axes, rounds):
    bars = {"Cuckoo": rounds["ours"], "one commit\na write": rounds["one_commit_each"]}
    values = {name: sorted(one[0] for one in of) for name, of in bars.items()}
    if rounds["procrastinate"]:
        values["Procrastinate,\ntables"] = sorted(one["manager"] for one in rounds["procrastinate"])
        values["Procrastinate,\nworker"] = sorted(one["worker"] for one in rounds["procrastinate"])
    names = list(values)
    middle = [of[len(of) // 2] for of in values.values()]
    spread = [[m - of[0] for m, of in zip(middle, values.values(), strict=True)]]
    spread.append([of[-1] - m for m, of in zip(middle, values.values(), strict=True)])
    axes.bar(names, middle, yerr=spread, capsize=4, color=[BLUE, ORANGE, GREY, GREY])
    axes.tick_params(axis="x", labelsize=8)
    axes.set(ylabel="tasks a second (median, range)", title="End to end, same run")


def _growth(axes, rows):
    miners = [row["miners"] for row in rows]
    axes.plot(miners, [row["p50_ms"] for row in rows], "o-", color=BLUE, label="median")
    axes.plot(miners, [row["p99_ms"] for row in rows], "o--", color=BLUE, label="p99")
    axes.set(xscale="log", ylim=(0, None), xlabel="miners", ylabel="ms to the miner, at half load")
    axes.set_title("Growth with the number of miners")
    rates = axes.twinx()
    rates.plot(miners, [row["tasks_per_s"] for row in rows], "s-", color=ORANGE, label="tasks a second (right)")
    rates.set_ylim(0, None)
    lines = [*axes.get_lines(), *rates.get_lines()]
    axes.legend(lines, [line.get_label() for line in lines], frameon=False, loc="center left")


def main():
    """Draw."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "performance.json"
    rows = json.loads(source.read_text())
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    _draws(left, rows["draws"]["raw"]["draws"])
    _control(middle, rows["control"]["raw"])
    _growth(right, rows["control"]["raw"]["growth"])
    for axes in (left, middle, right):
        axes.grid(visible=True, axis="y", alpha=0.25)
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    print(f"{PICTURE.name} written")


if __name__ == "__main__":
    main()
