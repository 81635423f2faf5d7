"""Coordinators that cheat, over real HTTP, and everybody who may look at what they do."""

import asyncio
import hashlib
import random
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

from cuckoo.client.app import AppClient
from cuckoo.demo.crooks import BlindRegistry, Crook, CrookedState, LossyParking, Steering
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.protocol.messages import TaskRequest
from cuckoo.services.verifying.share import ShareWatch
from tests.support.coordinating import COORDINATOR, LIMITS, Registry, ScriptedMiner, app, running

PERIOD_S = 10
FAVOURITE = 3
MINERS = (2, FAVOURITE, 4)
WEIGHT = 20_000 * CAI
APPLE = TaskRequest(prompt="a red apple", seed=7)


class Chain:
    """What no coordinator can change: tips, blocks, weights. Both a source of seeds and what verifies them."""

    def __init__(self, clock_now):
        self.tips = {}
        self.weights_of = {node: {WEIGHT} for node in MINERS}
        self._now = clock_now

    async def commit(self, tip):
        self.tips[tip] = int(self._now())
        return 7, self.tips[tip]

    async def seed_tip(self, node, tip):
        assert node == COORDINATOR
        return (self.tips[tip], 7) if tip in self.tips else (0, 0)

    async def seed_block(self, when, tip_block):
        assert tip_block == 7
        period = when // PERIOD_S if when > 10**9 else when
        first = min(self.tips.values()) // PERIOD_S
        return SimpleNamespace(number=8 + period - first, hash=hashlib.sha256(str(period - first).encode()).digest())

    async def weights(self, nodes, period):
        return {node: self.weights_of[node] for node in nodes}

    def period_of(self, timestamp):
        return timestamp // PERIOD_S


class Town:
    """A coordinator that cheats, its miners, and their looks at it."""

    def __init__(self, coordinator, chain, *, loses):
        self.coordinator = coordinator
        self.loses = loses
        self.chain = chain
        self.miners, self.watches = {}, {}
        self.given = []
        self._polls = {}

    async def open(self, stack):
        self.coordinator.seeds._random_bytes = random.Random(7).randbytes
        self._tip = await self.coordinator.seeds._new_tip()
        await self.coordinator.seeds._advance(self._tip)
        origins = {COORDINATOR: self.coordinator.origin}
        for number in MINERS:
            miner = self.miners[number] = ScriptedMiner(self.coordinator, number)
            stack.push_async_callback(miner.client.close)
            await miner.sign_in(slots=1)
            self.watches[number] = ShareWatch(
                number, lambda: origins, self._draws, self.chain, period_s=PERIOD_S, clock=self.coordinator.clock
            )
            await self.watches[number].look()
        await self.pass_periods(1)

    @staticmethod
    async def _draws(origin, period):
        async with AppClient(origin) as client:
            return await client.draws(period)

    async def pass_periods(self, count):
        self.coordinator.clock.ahead_s += count * PERIOD_S
        await self.coordinator.seeds._advance(self._tip)

    async def serve(self, tasks):
        """Let apps ask for so many pictures; a task whose assignment gets lost is taken back."""
        engine = self.coordinator.dispatch.engine
        async with app(self.coordinator) as client:
            for _ in range(tasks):
                await self._park()
                task = await client.submit(APPLE)
                await engine.settled()
                number = engine.tasks.get(task.task_id).attempts[-1].node
                poll = self._polls.pop(number)
                if self.loses and number != FAVOURITE:
                    poll.cancel()
                    await client.cancel(task.task_id)
                    continue
                assignment = (await poll).assignment
                self.given.append(assignment)
                self.watches[number].arrived(assignment)
                await self.miners[number].submit(assignment, self.miners[number].result(assignment))
        for poll in self._polls.values():
            poll.cancel()
        await asyncio.wait(self._polls.values())

    async def _park(self):
        """Bring every miner to a poll that waits."""
        for number, miner in self.miners.items():
            if number not in self._polls:
                self._polls[number] = asyncio.create_task(miner.poll())
        async with asyncio.timeout(10):
            while self.coordinator.parked() < len(MINERS):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)

    async def log(self):
        """Return the public log of the period in which all was drawn, once it is closed."""
        period = self.coordinator.seeds.period
        await self.pass_periods(4)
        (view,) = (await self._draws(self.coordinator.origin, period)).logs
        return view


@asynccontextmanager
async def town_of(folder, crook, part=1.0, seen_wei=WEIGHT):
    """Serve three miners of equal stake, and cheat in one way.

    Args:
        folder: of the coordinator.
        crook: in which way; None to be honest.
        part: of all draws, how many are steered.
        seen_wei: what the coordinator pretends that its favourite weighs.
    """
    steering = Steering(FAVOURITE, part, random.Random(7))
    state = CrookedState(LIMITS, steering, crook) if crook in (Crook.FAVOURS, Crook.FORGES) else None
    registry = Registry()
    if crook is Crook.OVERRATES:
        registry = BlindRegistry(registry, FAVOURITE, Wei(seen_wei))
    chain = Chain(lambda: 0)
    async with (
        running(folder, registry=registry, state=state, with_seed=False, seed_source=chain) as one,
        AsyncExitStack() as stack,
    ):
        chain._now = one.clock.now
        if crook is Crook.DROPS:
            one.dispatch.engine.parking = LossyParking(steering)
        town = Town(one, chain, loses=crook is Crook.DROPS)
        await town.open(stack)
        yield town
