"""The committed artifacts are what the sources compile to, and can be deployed anywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = sorted(path.stem for path in (ROOT / "cuckoo" / "chain" / "artifacts").glob("*.json"))
EIP_170_BYTES = 24_576


@pytest.fixture(scope="module", autouse=True)
def comparison():
    """Compile, and compare with what is committed."""
    return subprocess.run(
        [sys.executable, "contracts/build.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_artifacts__compiled_anew__are_those_committed(comparison):
    assert comparison.returncode == 0, comparison.stdout + comparison.stderr


@pytest.mark.parametrize("contract", COMMITTED)
def test_contract__deployed_code__is_within_eip_170(contract):
    built = json.loads((ROOT / "contracts" / "out" / f"{contract}.sol" / f"{contract}.json").read_bytes())
    code = built["deployedBytecode"]["object"].removeprefix("0x")
    assert 0 < len(code) // 2 <= EIP_170_BYTES
