"""``cuckoo faucet``: CAI and gas on a test network."""

import asyncio
from typing import TYPE_CHECKING

import click

from cuckoo.cli.chain import open_client, show
from cuckoo.cli.options import Place, chain_options, examples, json_option, key_options, place_options
from cuckoo.cli.wallet import find_address, find_key

if TYPE_CHECKING:
    from cuckoo.services.staking.wallet import Done


@click.command(epilog=examples("cuckoo faucet alice", "cuckoo faucet 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"))
@click.argument("who", default="")
@key_options
@json_option
@chain_options
@place_options
def faucet(place: Place, who: str, *, as_json: bool) -> None:
    """Have the test network's faucet give CAI, and native coin for gas, to WHO.

    WHO is an address or the name of a key; without it, the only key there is. On the devnet a development account
    pays the gas of the request, on other test networks --key does.
    """
    address = find_address(place, who)

    async def run() -> "Done":
        from cuckoo.chain.devnet import DEPLOYER_KEY
        from cuckoo.chain.transactions import Sender
        from cuckoo.services.staking.wallet import drip

        async with open_client(place) as client:
            devnet = client.network.is_devnet
            payer = DEPLOYER_KEY if devnet else find_key(place, purpose="the payer", raw_allowed=False)
            return await drip(client, Sender(client, payer), address)

    show([asyncio.run(run())], as_json=as_json)
