"""The one chain client: RPC endpoints with fail-over, and errors of our own tree."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar, cast

import msgspec
import structlog
from eth_typing import ChecksumAddress
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    BlockNotFound,
    ContractLogicError,
    MultipleFailedRequests,
    ProviderConnectionError,
    RequestTimedOut,
    TooManyRequests,
    Web3RPCError,
)
from web3.types import BlockIdentifier, FilterParams, LogReceipt

from cuckoo.chain.reverts import explain_revert
from cuckoo.domain.errors import ChainUnreachable, ConfigError, TransientError
from cuckoo.domain.identifiers import Address
from cuckoo.domain.network import Network

log = structlog.get_logger(__name__)

T = TypeVar("T")
REQUEST_TIMEOUT_S = 20.0
_PASSING = (
    OSError,
    TimeoutError,
    BadFunctionCallOutput,
    BadResponseFormat,
    BlockNotFound,
    MultipleFailedRequests,
    ProviderConnectionError,
    RequestTimedOut,
    TooManyRequests,
)


class RequestRefused(TransientError):
    """An endpoint answered with an error of its own: a range too wide, a block it does not have, a spent nonce."""

    code = "request_refused"


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


def is_passing(error: Exception) -> bool:
    """Whether a call may work when it is tried again, here or at another endpoint."""
    return isinstance(error, _PASSING) or type(error).__module__.split(".")[0] == "aiohttp"


def revert_data(error: Web3RPCError | ContractLogicError) -> bytes | None:
    """Return the data of a revert, or None when the error is none."""
    data: Any = getattr(error, "data", None)
    if data is None and isinstance(error, Web3RPCError) and error.rpc_response is not None:
        data = dict(error.rpc_response.get("error", {})).get("data")
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x"):
        return bytes.fromhex(data[2:])
    return b"" if isinstance(error, ContractLogicError) else None


async def _get_logs(criteria: FilterParams, web3: AsyncWeb3[Any]) -> list[LogReceipt]:
    return await web3.eth.get_logs(criteria)


def _said(error: ContractLogicError | Web3RPCError) -> str:
    """Return an endpoint's own words, without the request that they answer."""
    response: Any = error.rpc_response if isinstance(error, Web3RPCError) else None
    answer = dict(response).get("error") if response else None
    return str(answer.get("message", answer)) if isinstance(answer, dict) else str(error)


class ChainClient:
    """Talks to one chain through a list of endpoints, the preferred one first."""

    def __init__(self, network: Network, endpoints: Sequence[AsyncWeb3[Any]]) -> None:
        """Use :meth:`connect`."""
        self.network = network
        self._endpoints = list(endpoints)
        self._checked: set[int] = set()
        self._current = 0

    @classmethod
    async def connect(cls, network: Network, rpc_urls: Sequence[str] = ()) -> Self:
        """Open endpoints and check that they serve the network's chain and that its contracts are there.

        Args:
            network: which chain and contracts.
            rpc_urls: used instead of the network's own when given.

        Raises:
            ChainUnreachable: no endpoint answers.
            ConfigError: another chain, or no contract at the Staking address.
        """
        urls = tuple(rpc_urls) or network.rpc_urls
        timeout = {"timeout": REQUEST_TIMEOUT_S}
        client = cls(network, [AsyncWeb3(AsyncHTTPProvider(url, request_kwargs=timeout)) for url in urls])
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
        for web3 in self._endpoints:
            await web3.provider.disconnect()

    @property
    def web3(self) -> AsyncWeb3[Any]:
        """The endpoint in use, for building contract calls; send them with :meth:`run`."""
        return self._endpoints[self._current]

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
        problem = "there is no endpoint"
        for _ in range(len(self._endpoints)):
            index = self._current
            try:
                await self._check_chain(index)
                return await call(self._endpoints[index])
            except (ContractLogicError, Web3RPCError) as error:
                data = revert_data(error)
                if data is not None:
                    raise explain_revert(data, doing) from None
                if not is_passing(error):
                    raise RequestRefused(f"{doing}: the RPC endpoint says: {_said(error)}") from error
                problem = _said(error)
            except Exception as error:
                if not is_passing(error):
                    raise
                problem = str(error) or type(error).__name__
            self._current = (index + 1) % len(self._endpoints)
            if len(self._endpoints) > 1:
                log.warning("endpoint failed", endpoint=index, reason=problem, next=self._current)
        raise ChainUnreachable(f"{doing}: no RPC endpoint of network {self.network.name} answers ({problem})")

    async def _check_chain(self, index: int) -> None:
        if index in self._checked:
            return
        chain_id = await self._endpoints[index].eth.chain_id
        if chain_id != self.network.chain_id:
            raise ConfigError(
                f"connect to network {self.network.name}: the RPC endpoint serves chain {chain_id}, "
                f"the network file says {self.network.chain_id}: name another --rpc or --network",
            )
        self._checked.add(index)

    async def block(self, which: BlockIdentifier = "latest") -> Block:
        """Read a block by number, hash, "latest" or "finalized"; raises ChainUnreachable when it is not there."""
        raw = await self.run(lambda web3: web3.eth.get_block(which), doing=f"read block {which!r}")
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
