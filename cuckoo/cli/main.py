"""The ``cuckoo`` command: its subcommands by topic, imported when they are called, and errors in one clear line."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from cuckoo import __version__
from cuckoo.cli.failures import exit_with

TOPICS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "See it": {
        "demo": ("cuckoo.cli.demo", "the whole network on this machine: chain, stake, miners, real pictures"),
        "generate": ("cuckoo.cli.generate", "ask a coordinator for a picture"),
        "verify": ("cuckoo.cli.verify", "check a picture against the receipt inside it"),
    },
    "Take part": {
        "keys": ("cuckoo.cli.keys", "make and list keys"),
        "faucet": ("cuckoo.cli.faucet", "get CAI and gas on a test network"),
        "stake": ("cuckoo.cli.stake", "stake, register, vote, get it back"),
        "miner": ("cuckoo.cli.roles", "serve models with this machine's GPU or CPU"),
        "coordinator": ("cuckoo.cli.roles", "offer an image API, served by miners"),
        "staker": ("cuckoo.cli.roles", "serve the staking portal and watch over your stake"),
        "run": ("cuckoo.cli.roles", "several roles in one process"),
        "ledger": ("cuckoo.cli.ledger", "what was owed, earned and paid, checked against the chain"),
        "disputes": ("cuckoo.cli.disputes", "wrong results before juries: who accuses whom, what was decided"),
        "status": ("cuckoo.cli.status", "what the roles here do, earn and owe, and what is wrong"),
    },
    "Develop": {
        "calibrate": ("cuckoo.cli.calibrate", "how far apart honest and dishonest pictures lie on this machine"),
        "devnet": ("cuckoo.cli.roles", "a local chain with the contracts deployed"),
        "deploy": ("cuckoo.cli.deploy", "put the contracts on a chain, start a network of your own"),
        "version": ("cuckoo.cli.main", "print the version"),
    },
}
_MODULES = {name: module for commands in TOPICS.values() for name, (module, _) in commands.items()}


class Cuckoo(click.Group):
    """A group that imports a subcommand's module only when it is called, and prints expected errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order of the topics."""
        del ctx
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        del ctx
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        found: click.Command = getattr(importlib.import_module(module), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list a topic, without importing the commands."""
        del ctx
        for topic, commands in TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()], col_max=14)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit: 0, 1 for an error, 2 for one the user must fix, 130 when interrupted."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            outcome = super().main(arguments, prog_name, complete_var, standalone_mode=False, **extra)
        except BaseException as error:  # noqa: BLE001 - exit_with raises what it does not know again
            exit_with(error, as_json="--json" in arguments)
        sys.exit(outcome if isinstance(outcome, int) else 0)


@click.group(
    cls=Cuckoo,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  cuckoo demo\n\n\bcuckoo COMMAND --help shows an example of each.",
    no_args_is_help=True,
)
@click.option("--leash", is_flag=True, hidden=True, help="Stop when standard input closes.")
@click.version_option(__version__, prog_name="cuckoo", message="%(prog)s %(version)s")
def cli(*, leash: bool) -> None:
    """Serve AI models together: strangers share GPUs, stake decides who works, results can be checked."""
    from cuckoo.runtime.logging import configure_logging

    configure_logging("warning")
    if leash:
        from cuckoo.cli.leash import hold

        hold()


@click.command(epilog="\b\nExample:\n  cuckoo version")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def version(*, as_json: bool) -> None:
    """Print the version."""
    from cuckoo.cli.output import print_json

    if as_json:
        print_json({"version": __version__})
    else:
        click.echo(f"cuckoo {__version__}")
