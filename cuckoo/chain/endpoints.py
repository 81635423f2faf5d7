"""Several RPC endpoints of one chain, and which of them is asked."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog
from web3 import AsyncHTTPProvider, AsyncWeb3

from cuckoo.chain.answers import is_passing, refusal, said
from cuckoo.domain.errors import ChainUnreachable, ConfigError
from cuckoo.domain.network import Network

log = structlog.get_logger(__name__)

T = TypeVar("T")
Call = Callable[[AsyncWeb3[Any]], Awaitable[T]]

REQUEST_TIMEOUT_S = 20.0
LOOK_TIMEOUT_S = 3.0
LOOK_EVERY_S = 15.0
LAG_BLOCKS = 3
"""An endpoint that is more blocks behind another one is left for that one."""
REST_S = 15.0
LONGEST_REST_S = 600.0


class WrongChain(ConfigError):
    """An endpoint serves another chain."""

    code = "wrong_chain"


class _OpenDoor:
    """Stands where web3 has a lock that all its sessions share, and that a cancelled request never gives back.

    Nothing needs it: all that it guards happens in one thread, the event loop's.
    """

    def acquire(self) -> bool:
        """Let everybody in."""
        return True

    def locked(self) -> bool:
        """Never."""
        return False


def http_provider(url: str) -> AsyncHTTPProvider:
    """Return web3's way to an endpoint, without its retries, and safe to be cancelled at any moment."""
    provider = AsyncHTTPProvider(url, exception_retry_configuration=None)
    provider._request_session_manager._lock = _OpenDoor()  # type: ignore[assignment] # noqa: SLF001 - there is no other way
    return provider


class Endpoint:
    """One endpoint. ``place``: in the list, the preferred one is 0; ``head``: its newest block when last looked at."""

    def __init__(self, place: int, url: str) -> None:
        """Connect at the first request.

        What web3 does by itself and we do better is off: trying again, and asking for the chain's id with every call.
        """
        self.place = place
        self.web3 = AsyncWeb3(http_provider(url))
        self.web3.middleware_onion.remove("validation")
        self.head = 0
        self.rests_until = 0.0
        self._failures = 0

    def rest(self, reason: str) -> None:
        """Leave it in peace for a while, longer with every failure in a row."""
        rest_s = min(LONGEST_REST_S, REST_S * 2**self._failures)
        self._failures += 1
        self.rests_until = time.monotonic() + rest_s
        log.warning("RPC endpoint left alone for a while", endpoint=self.place, seconds=rest_s, reason=reason)

    def wake(self) -> None:
        """Take it as healthy again."""
        self._failures = 0
        self.rests_until = 0.0


class Endpoints:
    """Asks the current endpoint; another one when that hangs, fails, or lags behind.

    The current one stays until there is a reason, and the next one must have every block that was seen already, so
    that what is read does not jump back in time. Whoever serves another chain is never asked for anything else.

    Attributes:
        seen: the newest block that anybody here has seen.
    """

    def __init__(self, network: Network, urls: Sequence[str]) -> None:
        """Take the chain that they should serve, and their URLs, the preferred one first."""
        self._network = network
        self._all = [Endpoint(place, url) for place, url in enumerate(urls)]
        self._current: Endpoint | None = None
        self._look_at = 0.0
        self._looking = asyncio.Lock()
        self.seen = 0

    @property
    def web3(self) -> AsyncWeb3[Any]:
        """The endpoint in use, for building contract calls."""
        return (self._current or self._all[0]).web3

    async def close(self) -> None:
        """Close all connections."""
        for endpoint in self._all:
            await endpoint.web3.provider.disconnect()

    async def ask(self, call: Call[T], doing: str) -> T:
        """Run a call at the current endpoint, at others when it does not answer.

        Args:
            call: must be safe to repeat.
            doing: what is being done, for the error.

        Raises:
            ChainUnreachable: no endpoint gave an answer.
            WrongChain: all that answer serve another chain.
            RequestRefused: an endpoint's own refusal.
            Reverted: the contract refused; says why.
        """
        problem = "there is no endpoint"
        for _ in range(len(self._all) + 1):
            endpoint = await self._choose(doing)
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT_S):
                    return await call(endpoint.web3)
            except Exception as error:
                refused = refusal(error, doing)
                if refused is not None:
                    raise refused from error
                if not is_passing(error):
                    raise
                problem = said(error)
                if self._current is endpoint:
                    self._current = None
                if len(self._all) > 1:
                    endpoint.rest(problem)
        raise ChainUnreachable(f"{doing}: no RPC endpoint of network {self._network.name} answers ({problem})")

    async def _choose(self, doing: str) -> Endpoint:
        """Return the endpoint to ask; look at all of them from time to time."""
        if (current := self._fresh()) is not None:
            return current
        async with self._looking:
            if (current := self._fresh()) is not None:
                return current
            chosen = await self._look(doing)
            if chosen is not self._current and len(self._all) > 1:
                log.info("RPC endpoint chosen", endpoint=chosen.place, head=chosen.head)
            self._current = chosen
            self._look_at = time.monotonic() + LOOK_EVERY_S
            return chosen

    def _fresh(self) -> Endpoint | None:
        alone = len(self._all) == 1
        return self._current if alone or time.monotonic() < self._look_at else None

    async def _look(self, doing: str) -> Endpoint:
        now = time.monotonic()
        awake = [endpoint for endpoint in self._all if endpoint.rests_until <= now]
        others = [endpoint for endpoint in self._all if endpoint.rests_until > now]
        problems: list[Exception] = []
        ready = await self._ready(awake, problems) or await self._ready(others, problems)
        if not ready:
            wrong = [problem for problem in problems if isinstance(problem, WrongChain)]
            if wrong and len(wrong) == len(problems):
                raise wrong[0]
            reasons = "; ".join(dict.fromkeys(said(problem) for problem in problems)) or "there is no endpoint"
            raise ChainUnreachable(f"{doing}: no RPC endpoint of network {self._network.name} answers ({reasons})")
        newest = max(endpoint.head for endpoint in ready)
        wanted = max(min(self.seen, newest), newest - LAG_BLOCKS)
        first = next(endpoint for endpoint in ready if endpoint.head >= wanted)
        current = self._current
        if current is not None and current in ready and current.head >= newest - LAG_BLOCKS:
            return min(first, current, key=lambda endpoint: endpoint.place)
        return first

    async def _ready(self, endpoints: Sequence[Endpoint], problems: list[Exception]) -> list[Endpoint]:
        """Return those that serve the chain, with their ``head`` up to date."""
        ready = []
        found = await asyncio.gather(*(self._examine(endpoint) for endpoint in endpoints))
        for endpoint, problem in zip(endpoints, found, strict=True):
            if problem is None:
                endpoint.wake()
                ready.append(endpoint)
                continue
            problems.append(problem)
            if len(self._all) > 1:
                endpoint.rest(said(problem))
        return ready

    async def _examine(self, endpoint: Endpoint) -> Exception | None:
        network = self._network
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                chain_id, endpoint.head = await asyncio.gather(
                    endpoint.web3.eth.chain_id, endpoint.web3.eth.block_number
                )
        except Exception as error:
            if refusal(error, "look") is None and not is_passing(error):
                raise
            return error
        if chain_id != network.chain_id:
            return WrongChain(
                f"connect to network {network.name}: the RPC endpoint serves chain {chain_id}, "
                f"the network file says {network.chain_id}: name another --rpc or --network"
            )
        return None


async def first_chain_id(urls: Sequence[str]) -> int:
    """Ask for the id of a chain that nothing is known of yet; the first endpoint that answers is believed.

    Raises:
        ChainUnreachable: none does.
    """
    problem = "there is no endpoint"
    for url in urls:
        endpoint = Endpoint(0, url)
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                return await endpoint.web3.eth.chain_id
        except Exception as error:
            if refusal(error, "look") is None and not is_passing(error):
                raise
            problem = said(error)
        finally:
            await endpoint.web3.provider.disconnect()
    raise ChainUnreachable(f"ask for the chain's id: no RPC endpoint answers ({problem}): name one with --rpc")
