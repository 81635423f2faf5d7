"""The one chain client: RPC endpoints with fail-over, and errors of our own tree."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import msgspec
from eth_typing import ChecksumAddress
from web3 import AsyncWeb3
from web3.exceptions import BlockNotFound
from web3.types import BlockIdentifier, FilterParams, LogReceipt

from cuckoo.chain.answers import RequestRefused
from cuckoo.chain.endpoints import Endpoints
from cuckoo.chain.outbox import Outbox
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address
from cuckoo.domain.network import Network

T = TypeVar("T")


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A block's header, as far as we use it. ``timestamp`` in unix seconds."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee_wei: int


def on_chain(address: Address) -> ChecksumAddress:
    """Hand an address to web3 under its own type."""
    return cast("ChecksumAddress", address)


async def _get_logs(criteria: FilterParams, web3: AsyncWeb3[Any]) -> list[LogReceipt]:
    """Read logs of an endpoint that has the blocks: one that lacks them answers as if nothing had happened there."""
    last, newest = criteria["toBlock"], await web3.eth.block_number
    if isinstance(last, int) and newest < last:
        raise BlockNotFound(f"the newest block is {newest}, wanted is {last}")
    return await web3.eth.get_logs(criteria)


class ChainClient:
    """Talks to one chain through a list of endpoints, the preferred one first."""

    def __init__(self, network: Network, rpc_urls: Sequence[str] = (), outbox: Path | None = None) -> None:
        """Connect at the first call; :meth:`connect` does it at once, and checks that the contracts are there.

        Args:
            network: which chain and contracts.
            rpc_urls: used instead of the network's own when given.
            outbox: where transactions are recorded before they are sent; None: for this process only.
        """
        self.network = network
        self.outbox = Outbox(outbox)
        self._endpoints = Endpoints(network, tuple(rpc_urls) or network.rpc_urls)
        self._genesis = ""

    @classmethod
    async def connect(cls, network: Network, rpc_urls: Sequence[str] = (), outbox: Path | None = None) -> Self:
        """Open endpoints and check that they serve the network's chain and that its contracts are there.

        Args: as for the class.

        Raises:
            ChainUnreachable: no endpoint answers.
            ConfigError: another chain, or no contract at the Staking address.
        """
        client = cls(network, rpc_urls, outbox)
        try:
            await client._check_contract()
        except BaseException:
            await client.close()
            raise
        return client

    async def _check_contract(self) -> None:
        network = self.network
        code = await self.run(lambda web3: web3.eth.get_code(on_chain(network.staking)))
        if not code:
            raise ConfigError(
                f"connect to network {network.name}: no contract at {network.staking} on this chain; the network "
                "file is of another run: cuckoo devnet writes a new one",
            )

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._endpoints.close()
        self.outbox.close()

    @property
    def web3(self) -> AsyncWeb3[Any]:
        """The endpoint in use, for building contract calls; send them with :meth:`run`."""
        return self._endpoints.web3

    async def run(self, call: Callable[[AsyncWeb3[Any]], Awaitable[T]], *, doing: str = "ask the chain") -> T:
        """Run a call at the current endpoint, at the others when that one does not answer.

        Args:
            call: gets the endpoint; must be safe to repeat.
            doing: what is being done, for the error.

        Raises:
            ChainUnreachable: no endpoint gave an answer.
            RequestRefused: an endpoint did, and it was a refusal of its own.
            Reverted: the contract refused; says why.
        """
        return await self._endpoints.ask(call, doing)

    async def genesis(self) -> str:
        """Return the hash of block 0: which chain this is, also among runs of a development chain."""
        if not self._genesis:
            self._genesis = (await self.block(0)).hash.hex()
        return self._genesis

    def saw(self, block: int) -> None:
        """Note a block: when another endpoint takes over, it must have it too."""
        self._endpoints.seen = max(self._endpoints.seen, block)

    async def block(self, which: BlockIdentifier = "latest") -> Block:
        """Read a block by number, hash, "latest" or "finalized"; raises ChainUnreachable when it is not there."""
        raw = await self.run(lambda web3: web3.eth.get_block(which), doing=f"read block {which!r}")
        self.saw(raw["number"])
        return Block(
            number=raw["number"],
            hash=bytes(raw["hash"]),
            parent_hash=bytes(raw["parentHash"]),
            timestamp=raw["timestamp"],
            base_fee_wei=raw.get("baseFeePerGas", 0),
        )

    async def native_balance(self, account: Address, block: BlockIdentifier = "latest") -> int:
        """Read the native coin of an account, in wei."""
        return int(await self.run(lambda web3: web3.eth.get_balance(on_chain(account), block)))

    async def gas_price_wei(self) -> int:
        """Read what a unit of gas costs now, tip included, in wei of the native coin."""
        return int(await self.run(lambda web3: web3.eth.gas_price, doing="read the price of gas"))

    async def logs(
        self,
        addresses: Sequence[Address],
        first_block: int,
        last_block: int,
        topics: Sequence[str | list[str] | None] = (),
    ) -> list[LogReceipt]:
        """Read logs of contracts within blocks, both included; the range is halved when a node refuses it.

        Args:
            addresses: contracts.
            first_block, last_block: both included.
            topics: as ``eth_getLogs`` filters: hex, a list of alternatives, or None for any.
        """
        spans = [(first_block, last_block)]
        found: list[LogReceipt] = []
        while spans:
            low, high = spans.pop()
            if low > high:
                continue
            criteria: FilterParams = {
                "address": [on_chain(address) for address in addresses],
                "fromBlock": low,
                "toBlock": high,
                "topics": list(topics),
            }
            try:
                found += await self.run(partial(_get_logs, criteria), doing=f"read logs of blocks {low} to {high}")
            except RequestRefused:
                if low == high:
                    raise
                middle = (low + high) // 2
                spans += [(middle + 1, high), (low, middle)]
        return found
