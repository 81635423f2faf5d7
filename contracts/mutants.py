"""Plant faults in the contracts, one at a time, and see a test turn red.

``python contracts/mutants.py`` plants those of ``mutants.toml``, prints a line each, with the test that found it, and
then caught / planted. The exit code is 1 if one survives, does not compile, or has no place in the sources any more.
``python contracts/mutants.py NAME ...`` plants only those.

The tests are compiled once, from the sources as they are: they deploy what lies in ``out/``, and there the contracts
with the fault are put.
"""

import re
import shutil
import subprocess  # forge is a program
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import tools

FAULTS = tools.CONTRACTS / "mutants.toml"
INVARIANTS = "test/invariant/*"
SETTINGS = ("foundry.toml", "solc.js")
FAILED_TEST = re.compile(r"^(?:\[FAIL.*\])? (\w+)\(", re.MULTILINE)


class Mutant(NamedTuple):
    """A fault: ``text`` in ``src/file`` becomes ``instead``."""

    name: str
    file: str
    text: str
    instead: str

    def in_place(self) -> bool:
        """Whether what is to be replaced stands in the sources, once."""
        return (tools.CONTRACTS / "src" / self.file).read_text("utf-8").count(self.text) == 1


@dataclass(frozen=True)
class Bench:
    """Two copies of the contracts: the sources alone, compiled for each fault anew, and all with the tests."""

    sources: Path
    tests: Path

    @classmethod
    def build(cls, parent: Path) -> "Bench":
        """Copy and compile everything below ``parent``."""
        bench = cls(parent / "sources", parent / "tests")
        for folder, parts in ((bench.sources, ("src",)), (bench.tests, ("src", "test", "snapshots"))):
            folder.mkdir()
            for part in parts:
                shutil.copytree(tools.CONTRACTS / part, folder / part)
            for name in SETTINGS:
                shutil.copy(tools.CONTRACTS / name, folder)
            (folder / "node_modules").symlink_to((tools.CONTRACTS / "node_modules").resolve())
            forge(folder, "build").check_returncode()
        for made in ("out", "cache"):
            shutil.copytree(bench.sources / made, bench.sources / "sound" / made)
        return bench

    def plant(self, mutant: Mutant) -> bool:
        """Put the contracts with a fault where the tests find them; false if it does not compile."""
        self._restore()
        path = self.sources / "src" / mutant.file
        source = path.read_text("utf-8")
        path.write_text(source.replace(mutant.text, mutant.instead), "utf-8")
        try:
            compiled = forge(self.sources, "build", "--deny", "never").returncode == 0
        finally:
            path.write_text(source, "utf-8")
        shutil.copytree(self.sources / "out", self.tests / "out", dirs_exist_ok=True)
        return compiled

    def _restore(self) -> None:
        for made in ("out", "cache"):
            shutil.rmtree(self.sources / made)
            shutil.copytree(self.sources / "sound" / made, self.sources / made)
        for remembered in ("fuzz", "invariant"):
            shutil.rmtree(self.tests / "cache" / remembered, ignore_errors=True)

    def objection(self) -> str:
        """Run the tests, the long ones last; returns the name of one that fails, empty if all pass."""
        for which in (("--no-match-path", INVARIANTS), ("--match-path", INVARIANTS)):
            run = forge(self.tests, "test", "--fail-fast", *which)
            if run.returncode:
                failed = FAILED_TEST.search(run.stdout)
                return failed.group(1) if failed else f"forge test ends with {run.returncode}"
        return ""


def mutants() -> list[Mutant]:
    """Read all faults."""
    return [Mutant(**row) for row in tomllib.loads(FAULTS.read_text("utf-8"))["mutant"]]


def forge(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run forge in a folder."""
    command = [str(tools.tool_path("forge")), *arguments]
    return subprocess.run(command, cwd=folder, env=tools.environment(), capture_output=True, text=True, check=False)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(names: list[str]) -> int:
    """Plant each fault by itself."""
    chosen = [mutant for mutant in mutants() if not names or mutant.name in names]
    lost = [mutant for mutant in chosen if not mutant.in_place()]
    for mutant in lost:
        say(f"no place  {mutant.name}: not once in {mutant.file}")
    if lost or not chosen:
        return 1
    with tempfile.TemporaryDirectory() as parent:
        bench = Bench.build(Path(parent))
        objection = bench.objection()
        if objection:
            say(f"the tests fail without any fault: {objection}")
            return 1
        caught = sum(try_one(bench, mutant) for mutant in chosen)
    say(f"{caught} caught / {len(chosen)} planted")
    return 0 if caught == len(chosen) else 1


def try_one(bench: Bench, mutant: Mutant) -> bool:
    """Plant a fault and say what became of it; returns whether a test found it."""
    began = time.monotonic()
    compiles = bench.plant(mutant)
    objection = bench.objection() if compiles else ""
    verdict = "caught  " if objection else "SURVIVED" if compiles else "NO CODE "
    say(f"{verdict}  {mutant.name}  ({mutant.file}, {time.monotonic() - began:.0f} s)  {objection}")
    return bool(objection)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
