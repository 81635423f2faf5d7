"""What the chain has told, kept up to date in a file; what nodes and stakers have earned, by day."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import structlog

from cuckoo.chain.events import Event, IncomeEvents
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.domain.accrual import Slice, slices
from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import TransientError, Unavailable
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.runtime.clock import Clock
from cuckoo.storage.chronicle import Chronicle, Happened, Pages, Progress

log = structlog.get_logger(__name__)

DAY_S = 86_400
INTERVAL_S = 1.0
_BLOCKS_AT_ONCE = 20_000
_AGAIN_S = 2.0
_FEES_SPAN_S = 30 * DAY_S
_FEES_FOR_S = 60.0
_POSITION = ("Voted", "Unvoted", "Revoted", "Released", "Claimed")


Listener = Callable[[Progress, Sequence[Happened]], None]


class Latest(Protocol):
    """Who knows the newest block; see :class:`cuckoo.services.follower.Follower`."""

    block: Block | None


class Earning(msgspec.Struct, frozen=True, kw_only=True):
    """What a staker earned on a day (UTC, "2026-01-31") at a node, from a source: emission, fees or commission."""

    date: str
    node: NodeId
    source: str
    amount_wei: Wei


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks against nodes, and for them.

    Attributes:
        slashes: how often each was slashed.
        rising: the last commission that each announced, in 1/10,000, and when it holds, unix seconds.
        fees: what each got for those behind it in the last 30 days, a day, in wei.
    """

    slashes: dict[NodeId, int]
    rising: dict[NodeId, tuple[int, int]]
    fees: dict[NodeId, int]


class History:
    """Reads events into the chronicle, and answers from it."""

    def __init__(self, client: ChainClient, chronicle: Chronicle) -> None:
        """Take the chain, and where its events are kept."""
        self._client = client
        self._chronicle = chronicle
        self._events = IncomeEvents(client)
        self._marks: tuple[bytes, Marks] | None = None
        self._fees: tuple[int, dict[NodeId, int]] = (0, {})
        self._listeners: list[Listener] = []
        self._seen_block: int | None = None

    # Up to date.

    def subscribe(self, listener: Listener) -> None:
        """Call with each new block that is read, and what happened since the one before."""
        self._listeners.append(listener)

    async def advance(self) -> Progress:
        """Read up to the latest block; raises TransientError."""
        genesis = f"{await self._client.genesis()} {self._client.network.staking}"
        before = await self._chronicle.read(lambda pages: pages.progress())
        if before is not None and not await self._stands(before, genesis):
            log.info("another chain, or one that went back behind final blocks: reading it anew")
            before = None
        latest, final = await self._client.block(), await self._client.block("finalized")
        while True:
            first = self._client.network.deploy_block if before is None else before.final + 1
            chunk = first + _BLOCKS_AT_ONCE
            reached = latest if chunk > final.number else await self._client.block(chunk)
            told = [_happened(event, at) for event, at in await self._events.read(first, reached.number)]
            settled = final if reached is latest else reached
            progress = Progress(
                genesis=genesis,
                final=settled.number,
                final_hash=settled.hash,
                block=reached.number,
                at=reached.timestamp,
                hash=reached.hash,
            )
            if not await self._chronicle.write(before, progress, told):
                return await self._progress()
            if reached is latest:
                self._tell(progress, told)
                return progress
            log.info("reading what has happened on the chain", block=reached.number, of=latest.number)
            before = progress

    def _tell(self, progress: Progress, told: Sequence[Happened]) -> None:
        before, self._seen_block = self._seen_block, progress.block
        if before is not None:
            news = [one for one in told if one.block > before]
            for listener in self._listeners:
                listener(progress, news)

    async def _stands(self, before: Progress, genesis: str) -> bool:
        """Tell whether the final blocks of the chronicle are still those of the chain."""
        return before.genesis == genesis and (await self._client.block(before.final)).hash == before.final_hash

    async def run(self, registry: Latest, clock: Clock) -> None:
        """Keep up with a registry view until cancelled; a chain that does not answer is waited for."""
        seen = b""
        while True:
            if registry.block is not None and registry.block.hash != seen:
                try:
                    seen = (await self.advance()).hash
                except TransientError as error:
                    log.warning("chain does not answer; the history stands still", reason=str(error))
            await clock.sleep(INTERVAL_S)

    async def _progress(self) -> Progress:
        found = await self._chronicle.read(lambda pages: pages.progress())
        if found is None:
            raise Unavailable("read what has happened on the chain: it is not here yet", _AGAIN_S)
        return found

    # Answers.

    async def events_of(self, node: NodeId) -> list[Happened]:
        """Return everything about a node, in the order of the chain."""
        return await self._chronicle.read(lambda pages: pages.of_node(node))

    async def life_of(self, node: NodeId, role: Role, days: int) -> tuple[Progress, list[Slice]]:
        """Return the last days of a node's life in slices that end at midnight (UTC) at the latest.

        Raises:
            Unavailable: nothing is read yet.
        """
        progress = await self._progress()
        since = midnights(progress.at, days)[0]
        life = await self._chronicle.read(lambda pages: self._life(pages, node, role, progress, days))
        return progress, [one for one in life if one.since >= since]

    def _life(
        self, pages: Pages, node: NodeId, role: Role, progress: Progress, days: int, staker: str = ""
    ) -> list[Slice]:
        cuts = midnights(progress.at, days)
        return slices(
            pages.of_node(node),
            lambda at: 0 if at < cuts[0] else pages.accrual(role, at).index,  # nobody asks about what was before
            until=progress.at,
            fee_stream_s=self._client.network.parameters.fee_stream,
            cuts=cuts,
            staker=staker,
        )

    async def earnings(self, staker: Address, days: int) -> tuple[Progress, list[Earning]]:
        """Return what a staker earned in the last days, the newest first, whether it was claimed or not.

        Args:
            staker: who.
            days: today (UTC) and those before.

        Raises:
            Unavailable: nothing is read yet.
        """
        progress = await self._progress()
        since = midnights(progress.at, days)[0]

        def ask(pages: Pages) -> list[Earning]:
            behind = {one.node for one in pages.of_staker(staker)} | set(pages.owned(staker))
            sums: defaultdict[tuple[str, NodeId, str], int] = defaultdict(int)
            for node in sorted(behind):
                role = pages.role(node)
                if role is None:
                    continue
                for one in self._life(pages, node, role, progress, days, staker):
                    if one.since >= since:
                        for source, amount in one.income().items():
                            sums[day_of(one.since), node, source] += amount
            return [
                Earning(date=date, node=node, source=source, amount_wei=Wei(amount))
                for (date, node, source), amount in sums.items()
                if amount
            ]

        found = await self._chronicle.read(ask)
        return progress, sorted(found, key=lambda one: (one.date, -one.node), reverse=True)

    async def claims(self, staker: Address, days: int) -> list[Happened]:
        """Return what a staker was paid in the last days, the newest first."""
        since = midnights((await self._progress()).at, days)[0]
        told = await self._chronicle.read(lambda pages: pages.of_staker(staker))
        return [one for one in reversed(told) if one.name == "Claimed" and one.arguments["amount"] and one.at >= since]

    async def paid_by_day(self, node: NodeId | None, days: int) -> dict[str, Wei]:
        """Return what coordinators paid to miners on each of the last days, fees for stakers included.

        Args:
            node: only what this one paid, or was paid; None: all.
            days: today (UTC) and those before.
        """
        starts = midnights((await self._progress()).at, days)
        told = await self._chronicle.read(lambda pages: pages.named("Redeemed", since=starts[0]))
        sums = dict.fromkeys((day_of(start) for start in starts), 0)
        for one in told:
            if node in (None, one.node, one.arguments["coordinator"]):
                sums[day_of(one.at)] += one.arguments["amount"]
        return {day: Wei(amount) for day, amount in sums.items()}

    async def marks(self) -> Marks:
        """Return what speaks for and against nodes; read once a block.

        Raises:
            Unavailable: nothing is read yet.
        """
        progress = await self._progress()
        if self._marks is None or self._marks[0] != progress.hash:
            marks = await self._chronicle.read(lambda pages: self._read_marks(pages, progress))
            self._marks = (progress.hash, marks)
        return self._marks[1]

    def _read_marks(self, pages: Pages, progress: Progress) -> Marks:
        slashes: defaultdict[NodeId, int] = defaultdict(int)
        for one in pages.named("Slashed"):
            slashes[one.node] += 1
        rising = {
            one.node: (int(one.arguments["commissionBps"]), int(one.arguments["effectiveAt"]))
            for one in pages.named("CommissionAnnounced")
        }
        if not self._fees[0] <= progress.at < self._fees[0] + _FEES_FOR_S:
            self._fees = (progress.at, _fees(pages, progress))
        return Marks(slashes=dict(slashes), rising=rising, fees=self._fees[1])


def _happened(event: Event, at: int) -> Happened:
    return Happened(
        block=event.block_number,
        log_index=event.log_index,
        at=at,
        node=NodeId(event.node_id),
        name=event.name,
        staker=event.arguments["staker"] if event.name in _POSITION else "",
        hash=event.transaction_hash,
        arguments=event.arguments,
    )


def _fees(pages: Pages, progress: Progress) -> dict[NodeId, int]:
    sums: defaultdict[NodeId, int] = defaultdict(int)
    for one in pages.named("FeesAdded", since=progress.at - _FEES_SPAN_S):
        sums[one.node] += one.arguments["amount"]
    return {node: amount * DAY_S // _FEES_SPAN_S for node, amount in sums.items()}


def day_of(at: int) -> str:
    """Return the day (UTC) of a moment: "2026-01-31"."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def midnights(at: int, days: int) -> list[int]:
    """Return when the last days (UTC) began, today's included, unix seconds."""
    today = at - at % DAY_S
    return [today - back * DAY_S for back in range(days - 1, -1, -1)]
