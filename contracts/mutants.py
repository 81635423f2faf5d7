"""Plant faults in the contracts, one at a time, and see the tests turn red.

``python contracts/mutants.py`` plants those of ``mutants.toml``, prints a line each and then caught / planted; exit
code 1 if one survives or if its place is no longer in the sources. ``python contracts/mutants.py NAME ...`` plants
only those. A run takes about half a minute per fault, nearly all of it the compiler's.
"""

import shutil
import subprocess  # forge is a program
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

import tools

FAULTS = tools.CONTRACTS / "mutants.toml"


class Mutant(NamedTuple):
    """A fault: ``text`` in ``src/file`` becomes ``instead``."""

    name: str
    file: str
    text: str
    instead: str

    def in_place(self) -> bool:
        """Whether the sources still have what is to be replaced."""
        return self.text in (tools.CONTRACTS / "src" / self.file).read_text("utf-8")


def mutants() -> list[Mutant]:
    """Read all faults."""
    return [Mutant(**row) for row in tomllib.loads(FAULTS.read_text("utf-8"))["mutant"]]


def caught(folder: Path, mutant: Mutant) -> bool:
    """Plant a fault in a copy of the contracts, and say whether the tests or the compiler object."""
    path = folder / "src" / mutant.file
    source = path.read_text("utf-8")
    path.write_text(source.replace(mutant.text, mutant.instead, 1), "utf-8")
    try:
        run = ["test", "--fail-fast"]
        if forge(folder, *run, "--no-match-path", "test/invariant/*"):
            return True
        return forge(folder, *run, "--match-path", "test/invariant/*") != 0
    finally:
        path.write_text(source, "utf-8")


def forge(folder: Path, *arguments: str) -> int:
    """Run forge in a folder, without its output; returns its exit code."""
    command = [str(tools.tool_path("forge")), *arguments]
    done = subprocess.run(command, cwd=folder, env=tools.environment(), capture_output=True, check=False)
    return done.returncode


def main(names: list[str]) -> int:
    """Plant each fault by itself."""
    chosen = [mutant for mutant in mutants() if not names or mutant.name in names]
    lost = [mutant for mutant in chosen if not mutant.in_place()]
    for mutant in lost:
        sys.stdout.write(f"no place  {mutant.name}: not in {mutant.file} any more\n")
    if lost or not chosen:
        return 1
    survivors = 0
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "contracts"
        shutil.copytree(tools.CONTRACTS, folder, ignore=shutil.ignore_patterns("node_modules"))
        (folder / "node_modules").symlink_to((tools.CONTRACTS / "node_modules").resolve())
        if forge(folder, "test", "--no-match-path", "test/invariant/*"):
            sys.stdout.write("the tests fail without any fault: run forge test first\n")
            return 1
        for mutant in chosen:
            began = time.monotonic()
            found = caught(folder, mutant)
            survivors += not found
            verdict = "caught  " if found else "SURVIVED"
            sys.stdout.write(f"{verdict}  {mutant.name}  ({mutant.file}, {time.monotonic() - began:.0f} s)\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survivors} caught of {len(chosen)} planted\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
