"""``cuckoo demo``: the whole network on this machine."""

import asyncio
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cuckoo.cli.options import examples, json_option
from cuckoo.cli.output import print_json
from cuckoo.domain.errors import ConfigError

if TYPE_CHECKING:
    from cuckoo.demo.app import DemoResult, Up
    from cuckoo.demo.show import LiveShow, PlainShow


@click.command(epilog=examples("cuckoo demo", "cuckoo demo --keep", "cuckoo demo --json --out /tmp/pictures"))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="cuckoo-demo",
    show_default=True,
    help="Folder for the pictures.",
)
@click.option("--keep", is_flag=True, help="Leave the network up until Ctrl-C, and say how to talk to it.")
@json_option
def demo(*, out: Path, keep: bool, as_json: bool) -> None:
    """Run the whole network on this machine: a chain, stake, a coordinator, three miners, real pictures.

    Then a fourth miner cheats: it is caught by an audit, judged by the others on chain, and slashed.

    Everything is as in production: own processes, own sockets, real signatures, real inference. Nothing of it is left
    when it ends, except the pictures.
    """
    from cuckoo.demo.app import run_demo
    from cuckoo.demo.show import open_show

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"make folder {out}: {error.strerror}") from None
    with open_show(to_stderr=as_json) as show:

        def finished(result: "DemoResult", up: "Up") -> None:
            _finish(result, up, show, keep=keep, as_json=as_json)

        asyncio.run(run_demo(out, show, finished=finished, keep=keep))


def _finish(result: "DemoResult", up: "Up", show: "LiveShow | PlainShow", *, keep: bool, as_json: bool) -> None:
    show.say(f"{result.tasks} pictures in {out_of(result)}, all of them on {result.sheet}")
    show.say(f"{result.seconds:.0f} seconds in all")
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(result))
    if keep:
        show.say("\n".join(("", *how_to_talk(up))))


def out_of(result: "DemoResult") -> str:
    """Return the folder with the pictures, as people write folders."""
    return f"{Path(result.sheet).parent}/"


def how_to_talk(up: "Up") -> list[str]:
    """Return lines that can be copied into a second terminal."""
    program = "cuckoo" if shutil.which("cuckoo") else f"{shlex.quote(sys.executable)} -m cuckoo"
    origin = up.origin
    return [
        "The network stays up until Ctrl-C. In a second terminal:",
        "",
        f"  export CUCKOO_DATA_DIR={shlex.quote(str(up.folder))} CUCKOO_PASSWORD= CUCKOO_COORDINATOR={origin}",
        f'  {program} generate "a red apple" -o apple.png',
        f"  {program} stake nodes",
        f"  {program} stake status alice",
        f"  {program} stake deposit 5000 --key alice && {program} stake vote {min(up.names)} 5000 --key alice",
        f"  curl -s {origin}/v1/miners",
        "",
        f"  logs: {up.folder}/*.log",
    ]
