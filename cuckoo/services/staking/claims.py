"""What coordinators claim about miners: asked for at their public APIs, checked for sense, and never taken for facts.

A coordinator can say what it likes about how many tasks a miner did for it. What it says about draws can be checked by
anybody (docs/protocol.md); here it is only collected, by coordinator, with the time at which it was said.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
import structlog

from cuckoo.client.app import AppClient
from cuckoo.client.http import global_address
from cuckoo.domain.errors import ConfigError, CuckooError, InvalidField
from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.network import Network
from cuckoo.protocol.portal import NodeClaims, NodeClaimsBy
from cuckoo.protocol.views import MinerView
from cuckoo.runtime.clock import Clock
from cuckoo.storage.chronicle import Chronicle

log = structlog.get_logger(__name__)

EVERY_S = 60.0
ANSWER_S = 20.0
AT_ONCE = 4
PAGES_MAX = 50
DEVICE_MAX = 80
_NUMBER_MAX = 10**15
_COUNTS = (
    "assigned",
    "done",
    "failed",
    "lost",
    "expected",
    "variance",
    "speed",
    "audits_passed",
    "audits_failed",
    "pictures",
)

Connect = Callable[[str], AppClient]


def connector(network: Network) -> Connect:
    """Return how coordinators are reached: on the public internet only, but for a development chain's."""
    return partial(AppClient, allowed=None if network.is_devnet else global_address)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a coordinator says about a miner; the fields of :class:`cuckoo.protocol.views.MinerView`."""

    miner: NodeId
    assigned: int
    done: int
    failed: int
    lost: int
    expected: float
    variance: float
    speed: float
    device: str
    audits_passed: int
    audits_failed: int
    pictures: int


class Claims:
    """What each coordinator said last."""

    def __init__(self, chronicle: Chronicle, connect: Connect, clock: Clock, chain_id: int) -> None:
        """Take where it is kept, how coordinators are reached, time, and the chain that they must be of."""
        self._chronicle = chronicle
        self._connect = connect
        self._clock = clock
        self._chain_id = chain_id
        self._said: dict[NodeId, tuple[int, dict[NodeId, Claim]]] = {}

    async def start(self) -> None:
        """Read what was said before this process began."""
        for coordinator, at, body in await self._chronicle.read(lambda pages: pages.claims()):
            try:
                claims = msgspec.json.decode(body, type=list[Claim])
            except msgspec.ValidationError:
                continue  # of another version of this program; it is asked again soon
            self._said[coordinator] = (at, {one.miner: one for one in claims})

    async def run(self, coordinators: Callable[[], Mapping[NodeId, str]]) -> None:
        """Ask again and again until cancelled; ``coordinators``: their addresses."""
        while True:
            await self.look(coordinators())
            await self._clock.sleep(EVERY_S)

    async def look(self, coordinators: Mapping[NodeId, str]) -> None:
        """Ask all of them once; what those said that are registered no more is forgotten."""
        for gone in self._said.keys() - coordinators.keys():
            del self._said[gone]
        turns = asyncio.Semaphore(AT_ONCE)

        async def ask(node: NodeId, url: str) -> None:
            async with turns:
                try:
                    async with asyncio.timeout(ANSWER_S):
                        claims = await self._ask(node, url)
                except (CuckooError, TimeoutError) as error:
                    log.debug("a coordinator does not say what its miners did", coordinator=node, reason=str(error))
                    return
            at = int(self._clock.now())
            self._said[node] = (at, {one.miner: one for one in claims})
            await self._chronicle.keep_claims(node, at, msgspec.json.encode(claims))

        await asyncio.gather(*(ask(node, url) for node, url in coordinators.items()))

    async def _ask(self, node: NodeId, url: str) -> list[Claim]:
        try:
            client = self._connect(url)
        except ConfigError as error:
            raise InvalidField("url", url, str(error)) from error
        async with client:
            network = await client.network()
            if (network.chain_id, network.coordinator_node) != (self._chain_id, node):
                raise InvalidField("coordinator", network.coordinator_node, f"must be {node} of chain {self._chain_id}")
            found: list[Claim] = []
            after = 0
            for _ in range(PAGES_MAX):
                page = await client.miners(after=after)
                found += [_claim(one) for one in page.miners if one.assigned]
                if page.cursor is None or page.cursor <= after:
                    break
                after = page.cursor
            return found

    # Answers.

    def of(self, miner: NodeId) -> NodeClaims | None:
        """Put together what is claimed about a miner; None where nobody says anything."""
        said = [(at, claims[miner]) for at, claims in self._said.values() if miner in claims]
        return _merged([claim for _, claim in said], max(at for at, _ in said)) if said else None

    def by(self, miner: NodeId) -> tuple[NodeClaimsBy, ...]:
        """Return what each coordinator claims about a miner."""
        return tuple(
            NodeClaimsBy(coordinator=node, claims=_merged([claims[miner]], at))
            for node, (at, claims) in sorted(self._said.items())
            if miner in claims
        )

    def total(self, field: str) -> int:
        """Sum what all coordinators say about all miners; ``field``: of :class:`Claim`."""
        return sum(getattr(claim, field) for _, claims in self._said.values() for claim in claims.values())


def _claim(view: MinerView) -> Claim:
    """Take over what makes sense; raises InvalidField for numbers that nobody can have."""
    for name in _COUNTS:
        value = getattr(view, name)
        if not (math.isfinite(value) and 0 <= value <= _NUMBER_MAX):
            raise InvalidField(name, value, f"must be 0 to {_NUMBER_MAX}")
    device = "".join(letter for letter in view.device[:DEVICE_MAX] if letter.isprintable())
    return Claim(miner=view.node_id, device=device, **{name: getattr(view, name) for name in _COUNTS})


def _merged(said: Sequence[Claim], at: int) -> NodeClaims:
    done = sum(one.done for one in said)
    ended = done + sum(one.failed + one.lost for one in said)
    timed = [one for one in said if one.speed and one.done]
    most = max(said, key=lambda one: (bool(one.device), one.done))
    return NodeClaims(
        as_of=at,
        tasks_done=done,
        success_percent=f"{100 * done / ended:.1f}" if ended else None,
        speed=sum(one.speed * one.done for one in timed) / sum(one.done for one in timed) if timed else None,
        device=most.device,
        audits_passed=sum(one.audits_passed for one in said),
        audits_failed=sum(one.audits_failed for one in said),
        drawn=sum(one.assigned for one in said),
        odds_sum=sum(one.expected for one in said),
        odds_variance=sum(one.variance for one in said),
    )
