"""Compile the contracts and write their ABI and bytecode where the Python side reads them.

``python contracts/build.py`` writes ``cuckoo/chain/artifacts/*.json``; ``--check`` compares with what is there and
exits 1 if it differs.
"""

import json
import sys
from pathlib import Path

import tools

ARTIFACTS = tools.CONTRACTS.parent / "cuckoo" / "chain" / "artifacts"
DEPLOYED = ("BlockRandomness", "CuckooToken", "Disputes", "Escrow", "Faucet", "Staking", "Timelock")


class CompileFailed(Exception):
    """forge did not compile the sources; its own output says why."""


def compiled() -> dict[str, str]:
    """Compile, and return the text of each artifact by file name.

    Returns:
        JSON texts with the fields of ``cuckoo.chain.artifact.Artifact``, and "contract".

    Raises:
        CompileFailed: the sources do not compile.
        tools.ToolMissing: a tool is not installed.
    """
    if tools.run("forge", "build", "src", quiet=True):
        raise CompileFailed("compile the contracts: see the output of forge above")
    texts = {}
    for contract in DEPLOYED:
        built = json.loads((tools.CONTRACTS / "out" / f"{contract}.sol" / f"{contract}.json").read_text("utf-8"))
        places = built["deployedBytecode"].get("immutableReferences", {}).values()
        artifact = {
            "abi": built["abi"],
            "bytecode": built["bytecode"]["object"],
            "contract": contract,
            "immutables": sorted([place["start"], place["length"]] for many in places for place in many),
            "runtime": built["deployedBytecode"]["object"],
        }
        texts[f"{contract}.json"] = json.dumps(artifact, indent=1, sort_keys=True) + "\n"
    return texts


def differing(texts: dict[str, str], folder: Path) -> list[str]:
    """The names of the artifacts in ``folder`` that are missing or not the given text."""
    return [
        name
        for name, text in texts.items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the artifacts, or compare them."""
    try:
        texts = compiled()
    except (CompileFailed, tools.ToolMissing) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    changed = differing(texts, ARTIFACTS)
    if arguments == ["--check"]:
        if changed:
            sys.stderr.write(f"out of date: {', '.join(changed)}; run: python contracts/build.py\n")
        return 1 if changed else 0
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    for name in changed:
        (ARTIFACTS / name).write_text(texts[name], "utf-8")
    sys.stdout.write(f"{len(changed)} of {len(texts)} artifacts changed in {ARTIFACTS.name}/\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
