"""``cuckoo deploy``: a network of one's own on any EVM chain."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cuckoo.cli.chain import confirm
from cuckoo.cli.options import Place, examples, json_option, key_options, place_options, yes_option
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.cli.wallet import find_address, find_key
from cuckoo.domain.amounts import format_cai, parse_cai
from cuckoo.domain.errors import ConfigError, CuckooError

if TYPE_CHECKING:
    from cuckoo.chain.deployment import Deployed
    from cuckoo.chain.deployplan import Order
    from cuckoo.chain.rpc import ChainClient
    from cuckoo.domain.identifiers import Address


@click.command(
    epilog=examples(
        "cuckoo deploy --rpc https://rpc.example.org --out my-network.json --key deployer \\",
        "      --governor 0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "cuckoo deploy --rpc https://rpc.example.org --out test.json --key deployer --governor alice --faucet 10",
    )
)
@click.option("--rpc", multiple=True, metavar="URL", help="RPC endpoint of the chain; repeat it for more.  [required]")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Network file to write; everybody who takes part needs it.",
)
@click.option("--governor", metavar="WHO", default="", help="Who proposes what the timelock does: address or key name.")
@click.option("--guardian", metavar="WHO", default="", help="Who may pause entries at once.  [default: the governor]")
@click.option(
    "--treasury", metavar="WHO", default="", help="Who receives the rest of all CAI.  [default: the governor]"
)
@click.option("--reserve", metavar="CAI", default="200,000,000", show_default=True, help="CAI to be paid out to nodes.")
@click.option("--emission", metavar="CAI", default="20,000,000", show_default=True, help="How much of it a year.")
@click.option("--faucet", metavar="NATIVE", default="", help="Test networks: a faucet too, with so much native coin.")
@key_options
@yes_option
@json_option
@place_options
def deploy(
    place: Place,
    out: Path,
    governor: str,
    guardian: str,
    treasury: str,
    reserve: str,
    emission: str,
    faucet: str,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Create token, timelock, Staking, Escrow and Disputes on a chain, and write the network file.

    Staking is handed to the timelock, whose delay binds the governor; the deployer keeps no power. Everything is read
    back before the file is written. If it stops midway, the same command goes on where it stopped.
    """
    if not place.rpc:
        raise ConfigError("deploy: no chain is named: --rpc URL")
    if out.exists():
        raise ConfigError(
            f"deploy: {out} is there already, and may be all that is known of a network: name another --out"
        )

    async def run() -> "Deployed":
        from cuckoo.chain import deployment
        from cuckoo.chain.transactions import Sender

        async with await deployment.open_undeployed(out.stem, place.rpc) as client:
            key = find_key(place, purpose="the deployer", raw_allowed=client.network.is_devnet)
            sender = Sender(client, key)
            order = _order(place, client, sender.address, governor, (guardian, treasury), (reserve, emission, faucet))
            _announce(client, order, sender.address)
            confirm("Deploy?", yes=yes or as_json)
            journal = deployment.journal_of(out)
            try:
                deployed = await deployment.deploy(client, sender, order, journal=journal, progress=note)
            except CuckooError:
                if journal.exists():
                    note(f"what was done stays; {journal} says how far: the same command goes on from there")
                raise
            deployment.write_network(deployed.network, out)
            journal.unlink()
            return deployed

    _show(asyncio.run(run()), out, as_json=as_json)


def _order(
    place: Place,
    client: "ChainClient",
    deployer: "Address",
    governor: str,
    people: tuple[str, str],
    amounts: tuple[str, str, str],
) -> "Order":
    """Read the flags; ``people``: guardian, treasury; ``amounts``: reserve, emission, the faucet's native coin."""
    from cuckoo.chain.deployplan import EMISSION_LIMIT, FAUCET_CAI, SUPPLY, Order

    if not governor and not client.network.is_devnet:
        raise ConfigError("deploy: nobody would govern: --governor ADDRESS, best that of a multi-signature wallet")
    governing = find_address(place, governor) if governor else deployer
    guardian, treasury = (find_address(place, who) if who else governing for who in people)
    reserve, emission = (parse_cai(amount) for amount in amounts[:2])
    native = parse_cai(amounts[2]) if amounts[2] else None
    most = SUPPLY - (FAUCET_CAI if native is not None else 0)
    if reserve > most:
        raise ConfigError(f"deploy: --reserve {format_cai(reserve)} is more than the {format_cai(most)} CAI there are")
    if emission > EMISSION_LIMIT:
        raise ConfigError(
            f"deploy: --emission {format_cai(emission)} is above the limit of {format_cai(EMISSION_LIMIT)}"
        )
    return Order(
        governor=governing,
        guardian=guardian,
        treasury=treasury,
        reserve=reserve,
        emission=emission,
        faucet_native=native,
        rules=client.network.rules,
    )


def _announce(client: "ChainClient", order: "Order", deployer: "Address") -> None:
    rules = order.rules
    kind = "short periods of a development chain" if client.network.is_devnet else "main network periods"
    note(f"chain {client.network.chain_id}, {kind}; deployer {deployer}")
    note(f"governor {order.governor}, guardian {order.guardian}, timelock {rules.timelock_delay:,} s")
    note(f"reserve {format_cai(order.reserve)} CAI, {format_cai(order.emission)} a year; the rest to {order.treasury}")


def _show(deployed: "Deployed", out: Path, *, as_json: bool) -> None:
    from msgspec import to_builtins

    network = deployed.network
    if as_json:
        facts = [{"what": fact.what, "value": fact.actual} for fact in deployed.facts]
        print_json({"network_file": str(out), "network": to_builtins(network), "checked": facts})
        return
    at = ("token", "timelock", "staking", "escrow", "disputes", "randomness", "faucet")
    print_table(("contract", "address"), [(name, getattr(network, name)) for name in at if getattr(network, name)])
    note(f"network file {out}: hand it to everybody who takes part (--network {out})")
