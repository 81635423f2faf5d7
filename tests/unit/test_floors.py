"""The floors of the house hold, and each rule is seen to fail on a planted violation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def _lint(folder):
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def house(tmp_path):
    shutil.copytree(ROOT / "cuckoo", tmp_path / "cuckoo", ignore=shutil.ignore_patterns("__pycache__", "artifacts"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_floors__as_committed__hold(house):
    result = _lint(house)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


PLANTED = {
    "upwards": ("domain/amounts.py", "import cuckoo.scheduler", "Floors"),
    "sideways": ("storage/writer.py", "import cuckoo.chain", "Floors"),
    "pure floors apart": ("scheduler/__init__.py", "import cuckoo.protocol", "Floors"),
    "unknown room": ("attic/__init__.py", '"""An attic."""', "Floors"),
    "service to service": ("services/dispatch/planted.py", "import cuckoo.services.staking", "Services do not"),
    "cycle": ("domain/errors.py", "import cuckoo.domain.task", "No cycles"),
    "io in a pure floor": ("scheduler/__init__.py", "import asyncio", "no I/O"),
    "web3 outside chain": ("services/__init__.py", "import web3", "web3 stays"),
    "aiohttp outside web": ("services/__init__.py", "import aiohttp", "aiohttp stays"),
    "torch in the parent": ("inference/pool.py", "import torch", "torch and diffusers"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_floors__planted_violation__is_caught(house, case):
    path, line, rule = PLANTED[case]
    target = house / "cuckoo" / path
    target.parent.mkdir(exist_ok=True)
    existing = target.read_text() if target.exists() else ""
    target.write_text(f"{existing}\n{line}\n")
    result = _lint(house)
    broken = [text for text in result.stdout.splitlines() if text.rstrip().endswith("BROKEN")]
    if case == "unknown room":
        assert result.returncode != 0
        assert "attic" in result.stdout
    else:
        assert any(rule in text for text in broken), result.stdout
