"""A town under load whose processes are killed at random moments, and what its apps were told the whole time."""

import asyncio
import hashlib
import os
import random
import resource
import signal
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from cuckoo.client.app import AppClient
from cuckoo.domain.errors import Conflict, CuckooError, InvalidField, NotFound
from cuckoo.protocol.messages import TaskRequest
from tests.support.processes import ENVIRONMENT, until

MONEY = ENVIRONMENT | {
    "CUCKOO_COORDINATOR_PRICE": "100",
    "CUCKOO_COORDINATOR_ESCROW": "200",
    "CUCKOO_MINER_MIN_PRICE": "100",
    "CUCKOO_MINER_REDEEM_AT": "25",
    "CUCKOO_MINER_REDEEM_INTERVAL_S": "1",
}
"""Everything has a price, and vouchers are redeemed all the time."""

KINDS = ("coordinator", "miner", "GPU child")
DISK_FULL = "disk full"
AT_WORK_S = 60.0
STARTING = 0.33
"""Part of the kills that do not wait until a task has ended since the last one: they strike what is only starting."""

_FULL_AT_BYTES = 4_096
_STOPS_WITHIN_S = 30.0
_MEAN_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 4.0
_CANCELLED = 0.1
_NEVER = (InvalidField, NotFound, Conflict)
"""No kill makes one of these right: every request is in order, and no acknowledged task may be unknown."""


@dataclass
class Told:
    """What an app was told about one of its tasks."""

    key: str
    request: TaskRequest
    task_id: str = ""
    price_wei: int = 0
    status: str = ""
    picture: str = ""


@dataclass
class Load:
    """Apps that always want pictures, and remember every answer."""

    origin: str
    rng: random.Random
    apps: int = 6
    told: list[Told] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    ended: int = 0

    async def run(self):
        """Ask until ``stopping`` is set, then see every task to its end."""
        async with AppClient(self.origin) as client:
            await asyncio.gather(*(self._app(client) for _ in range(self.apps)))

    async def _app(self, client):
        while not self.stopping.is_set():
            request = TaskRequest(prompt="red apple", steps=self.rng.randint(2, 10), seed=self.rng.getrandbits(32))
            told = Told(f"key {len(self.told)}", request)
            self.told.append(told)
            await self._see_to_its_end(client, told)

    async def _see_to_its_end(self, client, told):
        view = await self._insist(lambda: client.submit(told.request, idempotency_key=told.key), told)
        told.task_id, told.price_wei = view.task_id, view.price_wei
        if self.rng.random() < _CANCELLED:
            await asyncio.sleep(self.rng.random())
            view = await self._insist(lambda: client.cancel(told.task_id), told)
        while not view.status.final:
            await asyncio.sleep(0.2)
            view = await self._insist(lambda: client.get(told.task_id), told)
        told.status = view.status.value
        self.ended += 1
        if view.pictures:
            picture = await self._insist(lambda: client.picture(told.task_id, 0), told)
            told.picture = hashlib.sha256(picture).hexdigest()

    async def _insist(self, call, told):
        while True:
            try:
                return await call()
            except _NEVER as error:
                self.broken.append(f"{told.key}, task {told.task_id or 'not acknowledged'}: {error}")
                raise
            except CuckooError:
                await asyncio.sleep(0.2)

    async def look_again(self):
        """Check that every task is as it was told when it ended, its picture too."""
        async with AppClient(self.origin) as client:
            for told in self.told:
                view = await self._insist(lambda told=told: client.get(told.task_id), told)
                if view.status.value != told.status:
                    self.broken.append(f"{told.key}: told {told.status}, now {view.status.value}")
                if told.picture:
                    again = await self._insist(lambda told=told: client.picture(told.task_id, 0), told)
                    if hashlib.sha256(again).hexdigest() != told.picture:
                        self.broken.append(f"{told.key}: the picture changed")


class Chaos:
    """Strikes the processes of a town, and starts again what ended."""

    def __init__(self, town, load, rng, say=lambda _: None):
        self.town = town
        self.load = load
        self.rng = rng
        self.say = say
        self.strikes = Counter()
        self.surprises = []

    @property
    def kills(self):
        return sum(self.strikes[kind] for kind in KINDS)

    async def strike(self, plan):
        """Carry out a list of kinds, each at a random moment while apps wait for pictures."""
        for kind in plan:
            await self._pause()
            while not await self._strike(kind):
                await self._pause()
            self.strikes[kind] += 1
            if self.kills % 10 == 0 and kind in KINDS:
                self.say(f"{self.kills} kills, {self.load.ended} tasks ended")
        await self.mend()
        self.load.stopping.set()

    async def _pause(self):
        """Wait until the town works, mostly, and then a random time."""
        ended = self.load.ended

        async def works():
            await self.mend()
            return self.load.ended > ended

        await self.mend()
        if self.rng.random() >= STARTING:
            with suppress(AssertionError):
                await until(works, AT_WORK_S, what="a task to end")
        await asyncio.sleep(min(self.rng.expovariate(1 / _MEAN_PAUSE_S), _LONGEST_PAUSE_S))

    async def mend(self):
        """Start what ended by itself: nothing may, but a miner whose device died too often in a row."""
        for name, process in self.town.processes.items():
            if not process.runs:
                if not name.startswith("miner"):
                    self.surprises.append(f"{name} ended by itself with exit code {process.popen.returncode}")
                self.strikes[f"{name.partition('-')[0]} gave up"] += 1
                process.start()

    async def _strike(self, kind):
        miners = [name for name in self.town.processes if name.startswith("miner")]
        if kind == "coordinator":
            self._kill("coordinator")
        elif kind == "miner":
            self._kill(self.rng.choice(miners))
        elif kind == "GPU child":
            children = self.town.processes[self.rng.choice(miners)].children()
            if not children:
                return False
            with suppress(ProcessLookupError):
                os.kill(self.rng.choice(children), signal.SIGKILL)
        else:
            return await self._fill_the_disk(self.rng.choice(["coordinator", *miners]))
        return True

    def _kill(self, name):
        process = self.town.processes[name]
        process.kill()
        process.start()

    async def _fill_the_disk(self, name):
        """Let no file of a process grow, or be written behind its start, until it stops; then there is room again."""
        process = self.town.processes[name]
        _, hard = resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (_FULL_AT_BYTES, hard))
        try:
            code = await asyncio.to_thread(process.popen.wait, _STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.surprises.append(f"{name} went on although its disk was full")
            process.kill()
            code = None
        if code == 0:
            self.surprises.append(f"{name} ended with exit code 0 although its disk was full")
        process.start()
        return True


def plan_of(rng, kills, disk_full):
    """Return which kinds to strike, in random order: each kind of kill about as often as the others."""
    plan = [KINDS[number % len(KINDS)] for number in range(kills)] + [DISK_FULL] * disk_full
    rng.shuffle(plan)
    return plan
