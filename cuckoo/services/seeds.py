"""The seeds of draw periods: a hash chain committed on chain at every start, revealed link by link when periods close.

docs/decisions/001 and docs/protocol.md say which block goes into which period's seed.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.seedblocks import seed_block
from cuckoo.chain.transactions import Sender
from cuckoo.domain.errors import NotFound, TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.views import DrawLogView, DrawsView
from cuckoo.runtime.clock import Clock
from cuckoo.scheduler.drawlog import first_head
from cuckoo.scheduler.events import PeriodStarted
from cuckoo.scheduler.seedchain import LINKS, SeedChain, period_seed
from cuckoo.storage.logrows import decode_rows
from cuckoo.storage.records import PeriodLog, PeriodSeed, SeedTip
from cuckoo.storage.store import Store

log = structlog.get_logger(__name__)

CLOSED_AFTER_PERIODS = 2
"""A period's log is public when the period after it has ended, so that its audits are closed."""

_LOOK_S = 1.0


class SeedBlock(Protocol):
    """A block that goes into a seed."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def hash(self) -> bytes:
        """Its hash, 32 bytes."""


class SeedSource(Protocol):
    """The chain, as far as seeds need it."""

    async def commit(self, tip: bytes) -> tuple[int, int]:
        """Commit a tip; returns (number, timestamp) of its block."""

    async def seed_block(self, period_start: int, tip_block: int) -> SeedBlock | None:
        """Return the block that seeds the period that begins then; None while it is not final."""


class SeedsOnChain:
    """The chain itself as source."""

    def __init__(self, client: ChainClient, sender: Sender, coordinator: NodeId, clock: Clock) -> None:
        """Commit as ``coordinator``, whose operator sends the transactions."""
        self._client = client
        self._sender = sender
        self._coordinator = coordinator
        self._staking = StakingContract(client)
        self._clock = clock

    async def commit(self, tip: bytes) -> tuple[int, int]:
        """Commit a tip and wait until that is final; returns (number, timestamp) of its block.

        Raises:
            ChainUnreachable: nothing answers.
            ConfigError: no native coin for gas.
        """
        await self._staking.commit_seed_tip(self._sender, self._coordinator, tip)
        while True:
            final = await self._client.block("finalized")
            committed_at, number = await self._staking.seed_tip(self._coordinator, tip, final.number)
            if number:
                return number, committed_at
            await self._clock.sleep(_LOOK_S / 4)

    async def seed_block(self, period_start: int, tip_block: int) -> SeedBlock | None:
        """Return the block that seeds a period; None while it is not final."""
        return await seed_block(self._client, period_start, tip_block)


class _Tip(msgspec.Struct, frozen=True):
    chain: SeedChain
    first_period: int
    block: int


class Seeds:
    """Commits tips, computes each period's seed ahead, and shows closed periods.

    Attributes:
        period: the period whose seed serves now; None before the first.
        tip: the tip that serves now; empty before the first.
    """

    def __init__(
        self,
        coordinator: NodeId,
        source: SeedSource,
        store: Store,
        *,
        period_s: int,
        clock: Clock,
        start_period: Callable[[PeriodStarted], None],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Take what seeds are made of.

        Args:
            coordinator: our node.
            source: the chain.
            store: keeps secrets, seeds and the log.
            period_s: length of a draw period, in seconds.
            clock: time.
            start_period: told when a period begins.
            random_bytes: source of the chain's secret.
        """
        self.period: int | None = None
        self.tip = b""
        self._coordinator = coordinator
        self._source = source
        self._store = store
        self._period_s = period_s
        self._clock = clock
        self._start_period = start_period
        self._random_bytes = random_bytes
        self._ahead: dict[int, PeriodSeed] = {}
        self._chains: dict[bytes, SeedChain] = {}

    async def run(self) -> None:
        """Keep the seeds coming, until cancelled; a chain that does not answer is waited for."""
        tip: _Tip | None = None
        while True:
            try:
                if tip is None or self._now() - tip.first_period >= LINKS - 1:
                    tip = await self._new_tip()
                await self._advance(tip)
            except TransientError as error:
                log.warning("seeds wait for the chain", reason=str(error))
            await self._clock.sleep(min(_LOOK_S, self._until_next()))

    async def _new_tip(self) -> _Tip:
        """Make a hash chain, and commit its tip; the secret is on disk before."""
        secret = self._random_bytes(32)
        chain = await asyncio.to_thread(SeedChain, secret)
        created_at = self._clock.now()
        await self._record(SeedTip(tip=chain.tip, secret=secret, created_at=created_at))
        block, timestamp = await self._source.commit(chain.tip)
        first_period = timestamp // self._period_s
        await self._record(
            SeedTip(tip=chain.tip, secret=secret, created_at=created_at, first_period=first_period, block=block)
        )
        self._ahead.clear()
        self._chains = {chain.tip: chain}
        log.info("seed tip committed", tip=chain.tip.hex(), block=block, period=first_period)
        return _Tip(chain, first_period, block)

    async def _record(self, tip: SeedTip) -> None:
        await self._store.writer.execute(self._store.draws.record_tip(tip))

    async def _advance(self, tip: _Tip) -> None:
        """Fetch the seeds of this period and the next as soon as their blocks are final; start what is due."""
        now = max(self._now(), tip.first_period)
        for period in (now, now + 1):
            if period not in self._ahead and period - tip.first_period < LINKS:
                await self._fetch(tip, period)
        for period in sorted(self._ahead):
            if period > self._now() and period > tip.first_period:
                break
            seed = self._ahead[period]
            if self.period is None or period > self.period or self.tip != tip.chain.tip:
                self._start(seed)
            if period < self._now():
                del self._ahead[period]

    async def _fetch(self, tip: _Tip, period: int) -> None:
        block = await self._source.seed_block(period * self._period_s, tip.block)
        if block is None:
            return
        link = tip.chain.link(period - tip.first_period)
        seed = PeriodSeed(
            tip=tip.chain.tip,
            period=period,
            seed=period_seed(link, block.hash, self._coordinator),
            block=block.number,
            block_hash=block.hash,
        )
        await self._store.writer.execute(self._store.draws.record_period(seed))
        self._ahead[period] = seed

    def _start(self, seed: PeriodSeed) -> None:
        self.period, self.tip = seed.period, seed.tip
        self._start_period(
            PeriodStarted(now=self._clock.now(), period=seed.period, seed=seed.seed, tip=seed.tip, block=seed.block)
        )
        log.debug("draw period started", period=seed.period, block=seed.block)

    def _now(self) -> int:
        return int(self._clock.now()) // self._period_s

    def _until_next(self) -> float:
        return self._period_s - self._clock.now() % self._period_s

    async def draws(self, period: int) -> DrawsView:
        """Show a closed period with everything that replays its draws.

        Raises:
            NotFound: it is not closed yet, or nothing was drawn in it here, or its time of keeping is over.
        """
        closed_at = (period + CLOSED_AFTER_PERIODS) * self._period_s
        in_use = self.period is not None and period + 1 >= self.period
        if in_use or self._clock.now() < closed_at:
            raise NotFound(f"read the draws of period {period}: they become public at {closed_at} (unix seconds)")
        kept = [one for one in await self._store.draws.period(period) if one.seed is not None and one.chunks]
        if not kept:
            raise NotFound(f"read the draws of period {period}: there were none here, or their time of keeping is over")
        return DrawsView(period=period, logs=tuple([await self._view(one) for one in kept]))

    async def _view(self, kept: PeriodLog) -> DrawLogView:
        tip, seed, chunks = kept.tip, kept.seed, kept.chunks
        if seed is None or tip.first_period is None or tip.block is None:
            raise NotFound(f"read the draws under tip {tip.tip.hex()}: it was never committed")
        if tip.tip not in self._chains:
            self._chains.clear()
            self._chains[tip.tip] = await asyncio.to_thread(SeedChain, tip.secret)
        return DrawLogView(
            coordinator_node=self._coordinator,
            period=seed.period,
            tip=tip.tip,
            tip_period=tip.first_period,
            tip_block=tip.block,
            link=self._chains[tip.tip].link(seed.period - tip.first_period),
            seed=seed.seed,
            block=seed.block,
            block_hash=seed.block_hash,
            previous_head=kept.previous_head or first_head(tip.tip),
            first_row=chunks[0].first_row,
            first_draw=chunks[0].first_draw,
            rows=tuple(row for chunk in chunks for row in decode_rows(chunk.rows)),
            head=chunks[-1].head,
        )
