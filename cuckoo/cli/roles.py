"""``cuckoo devnet``, ``coordinator``, ``miner``, ``staker``, and ``run`` for several of them in one process."""

from typing import Any

import click

from cuckoo.cli.options import Place, examples, network_option, place_options
from cuckoo.cli.output import note
from cuckoo.cli.serving import log_options, serve

DEVNET_GRACE_S = 1.0


@click.command(epilog=examples("cuckoo devnet", "cuckoo devnet --port 0 --network /tmp/my-chain.json"))
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8545,
    show_default=True,
    help="RPC port on loopback; 0 picks a free one.",
)
@log_options
@network_option
@place_options
def devnet(place: Place, port: int, **logging: Any) -> None:
    """Start a local chain with the contracts deployed, and write its network file.

    The chain lives as long as this command. Everything else finds it through the network file, so a second terminal
    needs no flag at all.
    """
    from cuckoo.roles.devnet import open_devnet

    note(f"a chain of your own, network file {place.network_file}; Ctrl-C ends it")
    serve([("devnet", lambda: open_devnet(port, place.network_file))], grace_s=DEVNET_GRACE_S, **logging)
