import json
import re
import subprocess
import sys

import click
import pytest

from cuckoo import __version__
from cuckoo.cli.main import TOPICS, cli
from cuckoo.domain.errors import ChainUnreachable, ConfigError, InvalidField

HEAVY = ("web3", "eth_account", "aiohttp", "torch", "diffusers", "PIL")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_help__in_a_new_process__imports_no_heavy_library():
    loaded = python(
        "import sys\n"
        "from cuckoo.cli.main import cli\n"
        "try:\n"
        "    cli(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    assert "LOADED []" in loaded
    assert "cuckoo demo" in loaded


def every_command(group=cli, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(every_command())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help__of_every_command__shows_an_example_of_itself(cuckoo, path):
    result = cuckoo(*path, "--help")
    assert result.exit_code == 0
    assert re.search(r"Examples?:\n(.*\n)*\s+cuckoo " + " ".join(path), result.stdout)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help__of_every_option__says_what_it_is_for(path):
    silent = [option.name for option in COMMANDS[path].params if isinstance(option, click.Option) and not option.help]
    assert silent == []


def test_topics__name_every_module__that_has_the_command():
    assert {name for commands in TOPICS.values() for name in commands} == {path[0] for path in COMMANDS}


def test_version__plain_and_json__agree(cuckoo):
    assert cuckoo("version").stdout == f"cuckoo {__version__}\n"
    assert json.loads(cuckoo("version", "--json").stdout) == {"version": __version__}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("register: this is missing: do that"), 2),
        (ChainUnreachable("ask the chain: nobody answers"), 1),
        (InvalidField("steps", 900, "must be 1 to 150"), 1),
        (ExceptionGroup("several", [ConfigError("register: this is missing: do that")]), 2),
        (click.UsageError("no such flag"), 2),
    ],
)
def test_errors__expected__are_one_line_and_no_traceback(cuckoo, monkeypatch, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(COMMANDS["version",], "callback", fail)
    result = cuckoo("version")
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    told = json.loads(cuckoo("version", "--json").stderr)["error"]
    assert told["message"] in result.stderr
    if isinstance(error, InvalidField):
        assert (told["field"], told["limit"]) == ("steps", "must be 1 to 150")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_errors__interrupted__are_quiet_and_130(cuckoo, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(COMMANDS["version",], "callback", fail)
    result = cuckoo("version")
    assert (result.exit_code, result.output.strip()) == (130, "")


def test_errors__of_our_own_making__are_raised_as_they_are(cuckoo, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(COMMANDS["version",], "callback", fail)
    assert isinstance(cuckoo("version").exception, ZeroDivisionError)


def test_command__unknown__is_a_usage_error(cuckoo):
    result = cuckoo("fly")
    assert result.exit_code == 2
    assert "fly" in result.stderr
    assert "cuckoo --help" in result.stderr
