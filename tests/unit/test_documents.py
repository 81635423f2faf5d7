"""What the documents point to exists, and the commands they show are commands that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest

from cuckoo.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(text):
    """Return each ``cuckoo ...`` of the code blocks as a list of words."""
    lines = (line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines())
    parts = (part for line in lines for part in re.split(r"&&|;|\bdo\b|\bdone\b", line.split("  #")[0]))
    return [words for words in (shlex.split(part) for part in parts if "'" not in part) if words[:1] == ["cuckoo"]]


def parse(words):
    """Let click read a command line as far as its values, without running anything."""
    command, rest = cli, words[1:]
    context = click.Context(cli, info_name="cuckoo")
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command {shlex.join(words)}"
        context = click.Context(found, info_name=rest[0], parent=context, ignore_unknown_options=False)
        command, rest = found, rest[1:]
    parser = command.make_parser(context)
    parser.parse_args(list(rest))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document__links__lead_somewhere(document):
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        if not target.startswith(("http", "#")):
            assert (document.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document__commands__are_there_with_their_options(document):
    for words in commands(document.read_text(encoding="utf-8")):
        parse(words)


def test_commands__in_the_readme__are_found():
    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) >= 12


@pytest.mark.parametrize("wrong", ["cuckoo coin", "cuckoo stake vote 2 1 --kee alice"])
def test_commands__that_do_not_exist__are_refused(wrong):
    with pytest.raises((AssertionError, click.UsageError)):
        parse(shlex.split(wrong))
