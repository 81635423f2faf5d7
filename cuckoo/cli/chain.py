"""What commands that talk to the chain share: a connected wallet, and how transactions are shown."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cuckoo.cli.options import Place
from cuckoo.cli.output import note, print_json
from cuckoo.cli.wallet import find_key

if TYPE_CHECKING:
    from cuckoo.chain.rpc import ChainClient
    from cuckoo.services.staking.registration import Registration
    from cuckoo.services.staking.wallet import Done, Wallet

T = TypeVar("T")


@asynccontextmanager
async def open_client(place: Place) -> AsyncIterator["ChainClient"]:
    """Connect to the network that the flags name."""
    from cuckoo.chain.rpc import ChainClient

    network = place.read_network()
    async with await ChainClient.connect(network, place.rpc, place.outbox(network)) as client:
        yield client


@asynccontextmanager
async def open_wallet(place: Place) -> AsyncIterator["Wallet"]:
    """Open the wallet of --key, connected and able to sign."""
    from cuckoo.chain.transactions import Sender
    from cuckoo.services.staking.wallet import Wallet

    network = place.read_network()
    private_key = find_key(place, purpose="the wallet", raw_allowed=network.is_devnet)
    async with open_client(place) as client:
        sender = Sender(client, private_key)
        yield Wallet(client, sender.address, sender)


@asynccontextmanager
async def open_registration(place: Place) -> AsyncIterator["Registration"]:
    """Open what the owner of --key may do about its nodes."""
    from cuckoo.chain.transactions import Sender
    from cuckoo.services.staking.registration import Registration

    network = place.read_network()
    private_key = find_key(place, purpose="the owner", raw_allowed=network.is_devnet)
    async with open_client(place) as client:
        yield Registration(client, Sender(client, private_key))


def transact(
    opened: Callable[[Place], Any], place: Place, act: Callable[[Any], Awaitable["Done | Sequence[Done]"]]
) -> "list[Done]":
    """Open a wallet or registration, do one thing with it, and return what the transactions did."""

    async def run() -> "list[Done]":
        async with opened(place) as target:
            outcome = await act(target)
        return list(outcome) if isinstance(outcome, Sequence) else [outcome]

    return asyncio.run(run())


def show(done: "Sequence[Done]", *, as_json: bool, nothing: str = "", **more: Any) -> None:
    """Print what transactions did, with their hashes; ``nothing`` when there was none to send."""
    if as_json:
        rows = [
            {"detail": one.detail, "transaction": one.transaction, "block": one.block, "gas_used": one.gas_used}
            for one in done
        ]
        print_json({**more, "transactions": rows})
        return
    for one in done:
        click.echo(one.detail)
        note(f"  transaction {one.transaction}, block {one.block:,}, gas {one.gas_used:,}")
    if not done:
        note(nothing)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what can not be taken back, where somebody is there to answer."""
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)
