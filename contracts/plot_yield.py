"""Plot what a stake earns in a year by the emission, against all stake of its role.

``python contracts/plot_yield.py`` runs the test that simulates the years and writes ``docs/pictures/yield.png``.
"""

import re
import subprocess  # forge is a program
import sys
from collections import defaultdict

import matplotlib as mpl
import tools

PICTURE = tools.CONTRACTS.parent / "docs" / "pictures" / "yield.png"
ROW = re.compile(r"yield,(\w+),(\d+),(\d+),(\d+)")
COLOURS = {"miners": "tab:blue", "coordinators": "tab:orange"}


def simulated() -> dict[str, list[tuple[int, float, float]]]:
    """Run the simulation; by role: all stake in CAI, yield of own stake and of votes in percent a year."""
    command = [str(tools.tool_path("forge")), "test", "-vv", "--match-test", "test_yield"]
    done = subprocess.run(
        command, cwd=tools.CONTRACTS, env=tools.environment(), capture_output=True, text=True, check=True
    )
    rows = defaultdict(list)
    for role, total, own, votes in ROW.findall(done.stdout):
        rows[role].append((int(total), int(own) / 1e4, int(votes) / 1e4))
    return rows


def main() -> None:
    """Simulate and draw."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for role, rows in simulated().items():
        totals = [total for total, _, _ in rows]
        axes.plot(totals, [own for _, own, _ in rows], "o-", color=COLOURS[role], label=f"{role}: own stake")
        axes.plot(totals, [votes for _, _, votes in rows], "o--", color=COLOURS[role], label=f"{role}: votes")
    axes.set(xscale="log", yscale="log", xlabel="all stake of the role, CAI", ylabel="yield, % a year")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:.0f} M"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(PICTURE, dpi=130, metadata={"Software": None})
    sys.stdout.write(f"{PICTURE.name} written\n")


if __name__ == "__main__":
    main()
