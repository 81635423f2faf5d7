"""The documents are true: what they link to exists, their commands would be read, settings and contracts are complete."""

import json
import re
import shlex
from pathlib import Path

import click
import msgspec
import pytest

from cuckoo.cli.main import cli
from cuckoo.domain.settings import CoordinatorSettings, MinerSettings, StakerSettings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*.md")])
FENCED = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SPAN = re.compile(r"`(cuckoo [^`]+)`")
SEPARATORS = frozenset(";&|<>()")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(document):
    """Return the anchors that a document's headings get where it is shown."""
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(document, text):
    """Return the links of ``text``, as a part of ``document``, that lead nowhere."""
    found = []
    for link in LINK.findall(FENCED.sub("", text)):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


def commands(line):
    """Return every ``cuckoo ...`` of a line of shell as a list of words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found, words = [], []
    for word in [*lexer, ";"]:
        if set(word) <= SEPARATORS:
            if "cuckoo" in words:
                found.append(words[words.index("cuckoo") :])
            words = []
        else:
            words.append(word)
    return found


def read(words, *, whole=True):
    """Let click read a command line without running it; raises UsageError. Not ``whole``: arguments may be missing."""
    command, rest = cli, words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        _, command, rest = command.resolve_command(click.Context(command), rest)
    try:
        command.make_context(shlex.join(words), [*rest])
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):  # --help, or a group that is only named
        return
    except click.MissingParameter:
        if whole:
            raise


@each_document
def test_document__links__lead_to_files_and_headings(document):
    assert broken(document, document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("link", ["nowhere.md", "docs/trust.md#no-such-heading", "#neither"])
def test_links__that_lead_nowhere__are_found(link):
    assert broken(ROOT / "README.md", f"a [link]({link})") == [link]


@each_document
def test_document__commands_in_code_blocks__would_be_read(document):
    blocks = FENCED.findall(document.read_text(encoding="utf-8"))
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        if "cuckoo " in line:
            for words in commands(line):
                read(words)


@each_document
def test_document__commands_in_sentences__exist_with_their_options(document):
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    for span in SPAN.findall(text):
        for words in commands(re.sub(r"\s+", " ", span)):
            if words[1:2] != ["COMMAND"]:
                read(words, whole=False)


@pytest.mark.parametrize("pattern", [FENCED, LINK, SPAN], ids=["code blocks", "links", "commands"])
def test_readme__in_korean__has_those_of_the_english_one(pattern):
    english, korean = (
        (ROOT / name).read_text(encoding="utf-8").replace(other, "")
        for name, other in (("README.md", "[한국어](README.ko.md)"), ("README.ko.md", "[English](README.md)"))
    )
    assert pattern.findall(korean) == pattern.findall(english)


def test_commands__of_the_readme__are_found():
    lines = "".join(FENCED.findall((ROOT / "README.md").read_text(encoding="utf-8"))).splitlines()
    found = [words for line in lines for words in commands(line)]
    assert ["cuckoo", "faucet", "$name"] in found
    assert len(found) >= 12


@pytest.mark.parametrize(
    "wrong", ["coin", "stake vot 2 1", "stake vote 2 1 --kee alice", "stake vote 2", "stake vote two 1", "devnet now"]
)
def test_commands__that_are_wrong__are_refused(wrong):
    with pytest.raises(click.UsageError):
        read(["cuckoo", *wrong.split()])


def as_written(default):
    """Write a default as the guides do, without separators of thousands."""
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, int) and default >= 2**20 and default % 2**20 == 0:
        return f"{default >> 20} MiB"
    return str(default).removesuffix(".0")


def table_of_settings(guide):
    """Return the defaults that the table of a guide names, by field; a row may have several."""
    found = {}
    for fields, defaults in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| `CUCKOO_[^|]+\| ([^|]+) \|", guide, re.MULTILINE):
        names = re.findall(r"\w+", fields)
        values = re.sub(r"`|(?<=\d),(?=\d{3})", "", defaults).split(", ")
        found |= dict(zip(names, values, strict=True))
    return found


@pytest.mark.parametrize(
    ("kind", "guide"), [(CoordinatorSettings, "coordinator"), (MinerSettings, "miner"), (StakerSettings, "staker")]
)
def test_guide__settings__are_all_there_with_their_defaults(kind, guide):
    table = table_of_settings((ROOT / "docs" / f"guide-{guide}.md").read_text(encoding="utf-8"))
    defaults = msgspec.structs.asdict(kind())
    assert set(table) == set(defaults)
    told = {name: default for name, default in defaults.items() if default not in ("", {}, (), None)}
    assert {name: table[name] for name in told} == {name: as_written(default) for name, default in told.items()}


@pytest.mark.parametrize("contract", ["Staking", "Faucet"])
def test_contracts_page__functions_and_events__are_all_named(contract):
    page = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    abi = json.loads((ROOT / "cuckoo" / "chain" / "artifacts" / f"{contract}.json").read_bytes())["abi"]
    names = {entry["name"] for entry in abi if entry["type"] in ("function", "event")} - {"EIP712DomainChanged"}
    assert sorted(name for name in names if not re.search(rf"`{name}\b", page)) == []
