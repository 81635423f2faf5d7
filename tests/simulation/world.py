"""Apps, coordinator, miners, chain and disks of one run. The services, the store and the messages are the product's."""

import asyncio
import hashlib
import io
import os
import random
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import msgspec
from PIL import Image

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import (
    CoordinatorUnreachable,
    CuckooError,
    FatalError,
    NotSignedIn,
    TransientError,
    Unavailable,
)
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.pricing import Rates
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.inference.messages import Finished
from cuckoo.inference.messages import Progress as StepDone
from cuckoo.inference.pool import JobCancelled, LoadedModel, WorkerFault
from cuckoo.protocol.messages import Session, TaskRequest, decode_binary, decode_json, encode_binary, encode_json
from cuckoo.protocol.receipts import pixel_hash
from cuckoo.roles.audits import DispatchWorkshop
from cuckoo.scheduler.state import State
from cuckoo.services.auditing.service import Auditing
from cuckoo.services.dispatch.assignments import Coordinator
from cuckoo.services.dispatch.service import Dispatch
from cuckoo.services.mining import DurableReceipts, KeptLatents, Miner, Mining, MiningOptions
from cuckoo.services.purse import Purse
from cuckoo.services.seeds import Seeds
from cuckoo.services.sessions import Sessions
from cuckoo.storage.store import open_store
from tests.simulation.checks import Checks
from tests.simulation.disk import Disk, SimulatedWriter
from tests.simulation.loop import EPOCH_S, SimulatedClock
from tests.simulation.plan import COORDINATOR, HORIZON_S, MINERS
from tests.support import coordinating, mining

PERIOD_S = 10
ORIGIN = "http://127.0.0.1:8080"
PROFILE = coordinating.PROFILE
SIDE_PX = 64
STEPS = 4
ALL_ENDED_S = 1_500.0
QUIET_S = 40.0
SETTINGS = CoordinatorSettings(long_poll_s=10.0)
AUDITED = 0.15
HEAL = ("storm", "cut off", "disk full", "chain down", "clock jump", "weight", "reorganisation")


class Chain:
    """Registry and escrow, as all see them; blocks come once a second."""

    def __init__(self, world):
        self._world = world
        self.down = False
        self.registry = coordinating.Registry()
        row = coordinating.node(1, Role.COORDINATOR, coordinating.COORDINATOR_KEY.address, 2_000_000)
        introduction = msgspec.json.encode({"name": "c", "url": ORIGIN}).decode()
        self.registry.put(msgspec.structs.replace(row, introduction=introduction))
        for number in MINERS:
            self.weigh(number, 20_000 * number)
        self.balances = dict.fromkeys(MINERS, 0)
        self.redeemed = dict.fromkeys(MINERS, 0)
        self.tips = {}

    def weigh(self, number, weight):
        self.registry.put(coordinating.node(number, Role.MINER, key_of(number).address, weight))

    def answer(self):
        if self.down:
            raise TransientError("read the chain: nobody answers")

    # Seeds.

    async def commit(self, tip):
        self.answer()
        self.tips.setdefault(tip, self._world.true_now())
        return 7, int(self.tips[tip])

    async def seed_block(self, period_start, tip_block):
        self.answer()
        digest = hashlib.sha256(f"block of {period_start}".encode()).digest()
        return SimpleNamespace(number=tip_block + 1 + period_start % 1_000, hash=digest)

    # Escrow.

    async def account(self, one, other=None):
        self.answer()
        miner = one if other is None else other
        return EscrowAccount(
            balance_wei=Wei(self.balances[miner]),
            thawing_wei=Wei(0),
            thawed_at=0,
            redeemed_wei=Wei(self.redeemed[miner]),
            fees_wei=Wei(0),
        )

    async def wallet_wei(self):
        self.answer()
        return Wei(10_000 * CAI)

    async def native_wei(self):
        return 10**18

    async def gas_price_wei(self):
        return 10**9

    async def deposit(self, amounts):
        self.answer()
        for miner, amount in amounts:
            self.balances[miner] += amount

    async def was_operator(self, signer):
        return signer == coordinating.COORDINATOR_KEY.address


def key_of(number):
    return coordinating.Signer(int(number).to_bytes(32, "big"))


class Network:
    """Carries calls to the coordinator: late, twice, or not at all."""

    def __init__(self, world):
        self._world = world
        self.loss = 0.0
        self.cut = set()
        self._numbers = {}

    async def call(self, sender, what, handler, *, timeout_s, lost=None):  # noqa: C901 - all that can happen to a call
        """Call the coordinator.

        Args:
            sender: the Life (or app) that calls.
            what: for the trace.
            handler: a coroutine function that gets the coordinator's desk.
            timeout_s: how long the answer may take.
            lost: called with a desk and an answer that never arrived, where the coordinator notices that.
        """
        world, loop = self._world, asyncio.get_running_loop()
        number = self._numbers[sender.name] = self._numbers.get(sender.name, 0) + 1
        rng = random.Random(f"{world.plan.seed} {sender.name} {number}")
        loss = 1.0 if sender.name in self.cut else self.loss
        answer = loop.create_future()

        def late():
            return rng.uniform(0.0005, 0.01) if rng.random() > loss else rng.uniform(0.01, 8.0)

        def reply(life, result, error):
            if life.alive and (rng.random() < loss or sender.name in self.cut):
                world.tell(f"{sender.name} -> {what}: the answer is lost")
                if lost is not None and error is None and rng.random() < 0.5:
                    lost(life.desk, result)
            else:
                loop.call_later(late(), settle, answer, result, error)

        def arrive(first):
            life = world.coordinator.life
            if life is None or not life.alive or life.desk is None:
                settle(answer, None, CoordinatorUnreachable("connection refused"))
                return
            task = life.begin(self._handle(handler, life, reply if first else None))
            if first:
                handling.append(task)

        handling = []
        if not sender.alive:
            raise CoordinatorUnreachable("this process is dead")
        if rng.random() < loss:
            world.tell(f"{sender.name} -> {what}: lost")
        else:
            loop.call_later(late(), arrive, True)
        if self.loss and rng.random() < 0.3:
            world.tell(f"{sender.name} -> {what}: sent twice")
            loop.call_later(late(), arrive, False)
        try:
            async with asyncio.timeout(timeout_s):
                result = await answer
        except TimeoutError:
            result = None
            raise CoordinatorUnreachable(f"{what}: no answer") from None
        except CuckooError as error:
            world.tell(f"{sender.name} -> {what}: {type(error).__name__}: {error}")
            raise
        finally:
            if handling and not handling[0].done() and rng.random() < 0.7:
                loop.call_later(late(), handling[0].cancel)
        return result

    @staticmethod
    async def _handle(handler, life, reply):
        """Let the coordinator work on a request; ``reply`` is None for one that nobody waits for."""
        try:
            result, error = await handler(life.desk), None
        except FatalError as fault:
            result, error = None, CoordinatorUnreachable(f"answered with status 500: {fault}")
        except CuckooError as fault:
            result, error = None, fault
        except asyncio.CancelledError:
            if life.alive:
                raise
            result, error = None, CoordinatorUnreachable("connection reset")
        if reply is not None:
            reply(life, result, error)


def settle(future, result, error):
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class Desk:
    """What the coordinator's doors do with a request."""

    def __init__(self, dispatch, sessions):
        self.dispatch = dispatch
        self.sessions = sessions

    def node(self, token):
        return self.sessions.of_token(token).node.node_id

    async def open_session(self, body):
        session = await self.sessions.open(body)
        voucher = await self.dispatch.miners.admit(session.node.node_id, body.voucher)
        self.dispatch.miners.sign_in(
            session.node, slots=body.slots, offers=body.models, last_sequence=session.last_sequence
        )
        return Session(
            token=session.token,
            expires_at=session.expires_at,
            open_tasks=self.dispatch.engine.tasks.queued,
            voucher=voucher,
        )

    async def sign_out(self, token):
        node = self.node(token)
        self.sessions.end(node)
        self.dispatch.miners.sign_out(node)


class Link:
    """A miner's calls; every message is written and read as on the wire."""

    def __init__(self, world, life):
        self._world = world
        self._life = life

    async def _call(self, what, handler, timeout_s=20.0, lost=None):
        return await self._world.network.call(self._life, what, handler, timeout_s=timeout_s, lost=lost)

    async def sign_in(self, request):
        request = _json(request)
        return _json(await self._call("sign-in", lambda desk: desk.sessions.offer(request)))

    async def open_session(self, proof):
        proof = _json(proof)
        return _json(await self._call("session", lambda desk: desk.open_session(proof)))

    async def sign_out(self, token):
        await self._call("sign-out", lambda desk: desk.sign_out(token))

    async def poll(self, token, poll):
        async def handle(desk):
            return await desk.dispatch.miners.poll(desk.node(token), poll)

        def lost(desk, signed):
            desk.dispatch.miners.undelivered(poll.slot, signed)

        return _json(await self._call(f"poll {poll.slot}", handle, 15.0, lost))

    async def progress(self, token, task_id, attempt, progress):
        async def handle(desk):
            return await desk.dispatch.miners.progress(desk.node(token), task_id, attempt, progress)

        return _json(await self._call(f"progress {task_id[:6]}/{attempt}", handle))

    async def submit(self, token, task_id, attempt, upload):
        body = encode_binary(upload)
        self._world.checks.signed(self._life.number, upload)

        async def handle(desk):
            taken = decode_binary(body, type(upload))
            return await desk.dispatch.miners.result(desk.node(token), task_id, attempt, taken)

        reply = await self._call(f"result {task_id[:6]}/{attempt}", handle)
        return decode_binary(encode_binary(reply), type(reply))

    async def fail(self, token, task_id, attempt, failure):
        async def handle(desk):
            await desk.dispatch.miners.failure(desk.node(token), task_id, attempt, failure)

        await self._call(f"failure {task_id[:6]}/{attempt}", handle)

    async def close(self):
        """Nothing stays open."""


def _json(message):
    return None if message is None else decode_json(encode_json(message), type(message))


class Pool:
    """Draws one colour, which the task decides; its worker dies when told to."""

    def __init__(self, world, life):
        self._world = world
        self._life = life
        self.ready = asyncio.Event()
        self.ready.set()
        self.devices = ("cpu",)
        self.at_once = 1
        self._free = asyncio.Lock()
        self._running = {}
        self._apart = world.apart
        self._profile = msgspec.structs.replace(PROFILE, threads=life.number) if world.apart else PROFILE

    def _drawn(self, colour, rng):
        """Draw a colour as another honest machine does: some of its values are off by one."""
        rows = bytearray(bytes(colour) * (SIDE_PX * SIDE_PX))
        for at in rng.sample(range(len(rows)), round(rng.choice(self._apart) * len(rows))):
            rows[at] += 1 if rows[at] < 255 else -1
        file = io.BytesIO()
        Image.frombytes("RGB", (SIDE_PX, SIDE_PX), bytes(rows)).save(file, "PNG", compress_level=1)
        return file.getvalue(), pixel_hash(SIDE_PX, SIDE_PX, bytes(rows))

    async def run(self, job, on_progress=None):
        rng = random.Random(f"{self._world.plan.seed} {self._life.name} {job.job_id}")
        step_s = rng.choice((0.05, 0.2, 1.0, 3.0))
        ended = self._running[job.job_id] = asyncio.get_running_loop().create_future()
        try:
            async with self._free:
                for step in range(1, STEPS + 1):
                    await asyncio.wait({ended}, timeout=step_s)
                    if ended.done():
                        ended.result()
                    on_progress(StepDone(job_id=job.job_id, step=step, steps=STEPS))
        finally:
            self._running.pop(job.job_id, None)
        parameters = job.parameters
        told = hashlib.sha256(f"{parameters.prompt} {parameters.seed}".encode()).digest()
        picture, pixels = _picture(tuple(told[:3])) if not self._apart else self._drawn(tuple(told[:3]), rng)
        return Finished(
            job_id=job.job_id,
            pictures=[picture],
            picture_hashes=[pixels],
            latents_root=told,
            profile=self._profile,
            step_s=[step_s] * STEPS,
            seconds=step_s * STEPS,
        )

    def cancel(self, job_id):
        self._end(job_id, JobCancelled(job_id))

    def die(self):
        for job_id in tuple(self._running):
            self._end(job_id, WorkerFault("the worker died"))

    def _end(self, job_id, error):
        ended = self._running.get(job_id)
        if ended is not None and not ended.done():
            ended.set_exception(error)

    def loaded(self):
        return {
            mining.MODEL.digest: LoadedModel(
                model=mining.MODEL,
                devices=self.devices,
                profile=self._profile,
                pixel_step_s=1e-6,
                max_pixels=mining.MODEL.limits.max_pixels,
            )
        }


_pictures = {}


def _picture(colour):
    if colour not in _pictures:
        _pictures[colour] = coordinating.png(colour=colour)
    return _pictures[colour]


class Life:
    """A process from its start to its end."""

    def __init__(self, name, number):
        self.name = name
        self.number = number
        self.alive = True
        self.desk = None
        self.pool = None
        self.tasks = set()

    def begin(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task):
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()


class Process:
    """A role that is started again whenever it dies."""

    def __init__(self, world, name, number, folder):
        self.world = world
        self.name = name
        self.number = number
        self.clock = SimulatedClock(asyncio.get_running_loop())
        self.rng = random.Random(f"{world.plan.seed} {name}")
        self.disk = Disk(folder, self.rng, self.kill)
        self.life = None
        self._main = None
        self.stopping = False
        SimulatedWriter.disks[folder] = self.disk
        SimulatedWriter.observers[folder] = self.after_commit

    def after_commit(self, connection):
        """Look at the database."""

    async def run(self):
        """Live, die, and be started again."""
        while not self.stopping:
            self.life = life = Life(self.name, self.number)
            self.world.tell(f"{self.name} starts")
            self._main = asyncio.get_running_loop().create_task(self.main(life))
            try:
                await self._main
            except asyncio.CancelledError:
                if self._main is None or not self._main.cancelled():
                    raise
            except (CuckooError, OSError) as error:
                self.world.tell(f"{self.name} stops: {error}")
            except BaseExceptionGroup as group:
                others = group.split((CuckooError, OSError))[1]
                if others is not None:
                    raise others from None
                self.world.tell(f"{self.name} stops: {group.exceptions[0]}")
            life.alive = False
            for task in tuple(life.tasks):
                task.cancel()
            if not self.stopping:
                await asyncio.sleep(self.rng.uniform(0.2, 4.0))

    def kill(self, power=False):
        """End it here and now."""
        if self.life is None or not self.life.alive:
            return
        self.world.tell(f"{self.name} is killed{', power lost' if power else ''}")
        self.life.alive = False
        if self.disk.writer is not None:
            self.disk.writer.dead = True
            self.disk.writer.power_lost = power
        for task in (*self.life.tasks, self._main):
            task.cancel()

    def stop(self):
        """End it for good."""
        self.stopping = True
        self.kill()


class CoordinatorProcess(Process):
    """The coordinator role's services."""

    def after_commit(self, connection):
        self.world.checks.committed(connection)

    async def main(self, life):
        world, clock, chain = self.world, self.clock, self.world.chain
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_store(self.disk.folder, clock=clock.now))
            key, hasher, node = coordinating.COORDINATOR_KEY, coordinating.HASHER, coordinating.COORDINATOR
            sessions = Sessions(
                node, key, hasher, chain.registry, store, origins={ORIGIN}, clock=clock, random_bytes=os.urandom
            )
            purse = Purse(
                node,
                key,
                hasher,
                store,
                chain,
                rates=Rates(Wei(CAI)),
                target_wei=Wei(CAI // 2),
                interval_s=2.0,
                warn_s=0.0,
                clock=clock,
            )
            await purse.open()
            workshop = DispatchWorkshop(chain.registry)
            auditing = Auditing(
                store,
                workshop,
                purse,
                probability=world.audited,
                device=None,
                clock=clock,
                secret=b"a secret",
                disputes=True,
            )
            await auditing.open()
            workshop.dispatch = dispatch = Dispatch(
                State(coordinating.LIMITS),
                store,
                Coordinator(node, key, hasher, PERIOD_S),
                chain.registry,
                purse,
                auditing,
                models=[coordinating.MODEL],
                settings=SETTINGS,
                clock=clock,
                end_session=sessions.end,
            )
            purse.changed = dispatch.miners.escrow_changed
            dispatch.apps._random_bytes = os.urandom
            world.checks.watch(dispatch.engine)
            await dispatch.recover()
            world.checks.restarted(dispatch.engine)
            seeds = Seeds(
                node,
                chain,
                store,
                period_s=PERIOD_S,
                clock=clock,
                start_period=dispatch.start_period,
                random_bytes=os.urandom,
            )
            life.desk = Desk(dispatch, sessions)
            async with asyncio.TaskGroup() as group:
                for service in (dispatch.run, seeds.run, purse.run, auditing.run, store.writer.watch):
                    group.create_task(service())


class MinerProcess(Process):
    """The miner role's services."""

    async def main(self, life):
        world = self.world
        async with open_store(self.disk.folder, clock=self.clock.now) as store:
            latents = KeptLatents(self.disk.folder / "latents")
            receipts = DurableReceipts(store)
            await receipts.open(self.clock.now())
            life.pool = Pool(world, life)
            mining_ = Mining(
                Miner(NodeId(self.number), key_of(self.number), coordinating.DOMAIN),
                pool=life.pool,
                receipts=receipts,
                latents=latents,
                escrow=world.chain,
                coordinators=lambda: world.chain.registry.nodes(Role.COORDINATOR),
                connect=lambda _: Link(world, life),
                seed=bytes(32),
                clock=self.clock,
                options=MiningOptions(draw_period_s=PERIOD_S, account_holds_s=15.0),
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(mining_.run())
                group.create_task(store.writer.watch())
                group.create_task(self._redeem(receipts))

    async def _redeem(self, receipts):
        while True:
            await self.clock.sleep(15.0)
            best = await receipts.best_voucher(coordinating.COORDINATOR)
            chain = self.world.chain
            if best is not None and not chain.down:
                paid = min(chain.balances[self.number], best.cumulative_wei - chain.redeemed[self.number])
                if paid > 0:
                    chain.balances[self.number] -= paid
                    chain.redeemed[self.number] += paid


class App:
    """Asks, asks again until it is answered, looks until the task has ended, and remembers what it was told."""

    alive = True

    def __init__(self, world, number, tasks):
        self.world = world
        self.name = f"app {number}"
        self.tasks = tasks
        self.rng = random.Random(f"{world.plan.seed} app {number}")

    async def run(self):
        async with asyncio.TaskGroup() as group:
            for number in range(self.tasks):
                await asyncio.sleep(self.rng.uniform(0.0, 12.0))
                group.create_task(self._one(number, random.Random(self.rng.getrandbits(64))))

    async def _call(self, what, handler, rng):
        """Call until there is an answer."""
        while True:
            try:
                return await self.world.network.call(self, what, handler, timeout_s=20.0)
            except (CoordinatorUnreachable, Unavailable, NotSignedIn, TransientError):
                await asyncio.sleep(rng.uniform(0.1, 3.0))
            except CuckooError as error:
                if getattr(error, "retry_after_s", None) is None:
                    raise
                await asyncio.sleep(error.retry_after_s)

    async def _one(self, number, rng):
        checks = self.world.checks
        request = TaskRequest(prompt=f"{self.name} {number}", seed=number, steps=STEPS)
        key = f"{self.name} {number}"
        view, _ = await self._call(
            f"task {number}", lambda desk: desk.dispatch.apps.submit(request, idempotency_key=key), rng
        )
        task_id = view.task_id
        checks.acknowledged(self.name, number, task_id)
        checks.told(task_id, view.status)
        cancel_at = rng.uniform(0.0, 30.0) if rng.random() < 0.15 else None
        while not view.status.final:
            wait = rng.uniform(0.5, 4.0)
            await asyncio.sleep(wait)
            if cancel_at is not None and (cancel_at := cancel_at - wait) < 0:
                cancel_at = None
                view = await self._call("cancel", lambda desk: desk.dispatch.apps.cancel(task_id), rng)
            else:
                view = await self._call("look", lambda desk: desk.dispatch.apps.get(task_id), rng)
            checks.told(task_id, view.status)
        if view.status.value == "done":
            _, picture = await self._call("picture", lambda desk: desk.dispatch.apps.picture(task_id, 0), rng)
            checks.picture(task_id, picture, _picture(_colour_of(request))[0])
            self.world.tell(f"{self.name}: task {task_id[:6]} is done, its picture is here")


def _colour_of(request):
    return tuple(hashlib.sha256(f"{request.prompt} {request.seed}".encode()).digest()[:3])


class World:
    """One run."""

    def __init__(self, plan, folder, trace=None, *, audited=AUDITED, apart=()):
        """Set the stage.

        Args:
            plan: what apps ask for, and what goes wrong.
            folder: for all disks.
            trace: list that is told what happens.
            audited: the part of all results that is checked.
            apart: how far a machine's picture may lie from what all draw, mean of 255; none for not at all.
        """
        self.audited = audited
        self.apart = tuple(apart)
        self.plan = plan
        self.trace = trace
        self.folder = folder
        self.loop = asyncio.get_running_loop()
        self.chain = Chain(self)
        self.network = Network(self)
        self.checks = Checks(self)
        self.coordinator = CoordinatorProcess(self, COORDINATOR, 1, folder / "coordinator")
        self.miners = {
            number: MinerProcess(self, f"miner {number}", number, folder / f"miner-{number}") for number in MINERS
        }
        self.apps = [App(self, number, tasks) for number, tasks in enumerate(plan.tasks)]

    def true_now(self):
        return EPOCH_S + self.loop.time()

    def tell(self, what):
        if self.trace is not None:
            self.trace.append(f"{self.loop.time():9.3f}  {what}")

    def process(self, name):
        return self.coordinator if name == COORDINATOR else self.miners[int(name.split()[1])]

    async def run(self):
        """Let it all happen, and check the accounts at the end."""
        processes = [self.coordinator, *self.miners.values()]
        living = [self.loop.create_task(process.run()) for process in processes]
        troubles = self.loop.create_task(self._trouble())
        apps = self.loop.create_task(self._apps())
        try:
            await self._until(apps, troubles, living)
            await self._quiet()
        finally:
            for process in processes:
                process.stop()
            for task in (apps, troubles):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*living, apps, troubles, return_exceptions=True)
        for task in living:
            if not task.cancelled() and task.exception() is not None:
                raise task.exception()
        self.checks.reckon()

    async def _quiet(self):
        """Wait until audits are closed and every result is answered; whether they are is for the checks to say."""
        for _ in range(30):
            await asyncio.sleep(QUIET_S)
            if not self.checks.unsettled():
                return

    async def _until(self, apps, troubles, living):
        waiting = {apps, troubles}
        async with asyncio.timeout(ALL_ENDED_S):
            while waiting:
                done, _ = await asyncio.wait({*waiting, *living}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                waiting -= done

    async def _apps(self):
        await asyncio.gather(*(app.run() for app in self.apps))

    async def _trouble(self):
        began = self.loop.time()
        for fault in self.plan.faults:
            await asyncio.sleep(max(0.0, began + fault.at_s - self.loop.time()))
            self.tell(f"!! {fault}")
            self._begin(fault)
        await asyncio.sleep(max(0.0, began + HORIZON_S - self.loop.time()))

    def _begin(self, fault):
        target = self.process(fault.target) if fault.target else None
        match fault.kind:
            case "crash at write":
                moment, _, power = fault.detail.partition(" ")
                target.disk.plan_crash(int(fault.amount), moment, bool(power))
            case "kill":
                target.kill()
            case "worker dies":
                if target.life is not None and target.life.pool is not None:
                    target.life.pool.die()
            case _:
                heal = self._strike(fault, target)
                self.loop.call_later(fault.seconds, heal)

    def _strike(self, fault, target):  # noqa: PLR0911 - one line a kind
        """Begin what passes by itself; returns what ends it."""
        network, chain = self.network, self.chain
        match fault.kind:
            case "storm":
                network.loss = fault.amount
                return lambda: setattr(network, "loss", 0.0)
            case "cut off":
                network.cut.add(target.name)
                return lambda: network.cut.discard(target.name)
            case "clock jump":
                target.clock.skew_s = fault.amount
                return lambda: setattr(target.clock, "skew_s", 0.0)
            case "disk full":
                target.disk.full = True
                return lambda: setattr(target.disk, "full", False)
            case "weight":
                chain.weigh(target.number, int(fault.amount))
                return lambda: chain.weigh(target.number, 20_000 * target.number)
            case "reorganisation":
                taken = min(chain.balances[target.number], CAI // 4)
                chain.balances[target.number] -= taken
                chain.weigh(target.number, int(fault.amount))

                def back():
                    chain.balances[target.number] += taken
                    chain.weigh(target.number, 20_000 * target.number)

                return back
            case "chain down":
                chain.down = True
                return lambda: setattr(chain, "down", False)
        raise AssertionError(fault.kind)


def temporary_folder():
    """Make a folder in memory where there is one: a run is about order, not about a disk's speed."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="cuckoo-simulation-", dir=memory if memory.is_dir() else None)
