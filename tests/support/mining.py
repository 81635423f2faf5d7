"""A coordinator, a pool and a clock that a test holds in its hands; the store is the real one."""

import asyncio
import heapq
import itertools
from contextlib import asynccontextmanager

import msgspec

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import CoordinatorUnreachable, NotSignedIn
from cuckoo.domain.identifiers import Address, ModelDigest, NodeId, Role, TaskId
from cuckoo.domain.node import Node
from cuckoo.domain.task import Mode, RuntimeProfile, TaskParameters
from cuckoo.inference.messages import Finished
from cuckoo.inference.messages import Progress as StepDone
from cuckoo.inference.models import Defaults, Limits, Model
from cuckoo.inference.pool import JobCancelled, LoadedModel
from cuckoo.protocol.eip712 import Domain, hash_sign_in
from cuckoo.protocol.messages import ProgressReply, Session, SignedAssignment, SignInOffer, SubmitReply
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.signing import Signer, check_signed_by
from cuckoo.services.mining import DurableReceipts, KeptLatents, Miner, Mining, MiningOptions

DOMAIN = Domain(31_337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"))
MINER_KEY = Signer(b"\x11" * 32)
DIGEST = ModelDigest("ab" * 32)
PROFILE = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=1, isa="AVX2", batch_bucket=1
)
MODEL = Model(
    name="tiny",
    source="nowhere",
    digest=DIGEST,
    title="",
    defaults=Defaults(width_px=64, height_px=64, steps=4, guidance=5.0),
    limits=Limits(max_pixels=64 * 64, max_steps=50),
)


class Clock:
    """Time passes only when a test says so."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self._sleepers = []
        self._numbers = itertools.count()

    def now(self):
        return self.time

    def monotonic(self):
        return self.time

    async def sleep(self, seconds):
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._numbers), future))
        await future

    async def pass_(self, seconds):
        """Let time pass, waking sleepers in order."""
        end = self.time + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, future = heapq.heappop(self._sleepers)
            self.time = max(self.time, at)
            if not future.done():
                future.set_result(None)
                for _ in range(20):
                    await asyncio.sleep(0)
        self.time = end
        for _ in range(20):
            await asyncio.sleep(0)

    async def until(self, condition, *, passing_s=0.0):
        """Wait for a condition; with ``passing_s``, time passes in such steps meanwhile."""
        async with asyncio.timeout(10):
            while not condition():
                if passing_s:
                    await self.pass_(passing_s)
                await asyncio.sleep(0.001)


class Pool:
    """Runs nothing: the test steps, finishes and fails jobs."""

    def __init__(self, devices=1) -> None:
        self.ready = asyncio.Event()
        self.ready.set()
        self.devices = ("cpu",) * devices
        self.jobs = {}
        self.asked = []
        self.listeners = {}
        self.cancelled = []
        self.model = MODEL

    @property
    def at_once(self):
        return len(self.devices)

    async def run(self, job, on_progress=None):
        self.asked.append(job)
        self.jobs[job.job_id] = asyncio.get_running_loop().create_future()
        self.listeners[job.job_id] = on_progress
        try:
            return await self.jobs[job.job_id]
        finally:
            del self.jobs[job.job_id]

    def cancel(self, job_id):
        self.cancelled.append(job_id)
        if job_id in self.jobs and not self.jobs[job_id].done():
            self.jobs[job_id].set_exception(JobCancelled(job_id))

    def loaded(self):
        entry = LoadedModel(
            model=self.model,
            devices=self.devices,
            profile=PROFILE,
            pixel_step_s=1e-6,
            max_pixels=self.model.limits.max_pixels,
            modes=tuple(Mode),
        )
        return {self.model.digest: entry}

    def step(self, step, job_id=None):
        job_id = job_id or next(iter(self.jobs))
        self.listeners[job_id](StepDone(job_id=job_id, step=step, steps=4))

    def finish(self, job_id=None):
        job_id = job_id or next(iter(self.jobs))
        self.jobs[job_id].set_result(
            Finished(
                job_id=job_id,
                pictures=[b"png of " + job_id.encode()],
                picture_hashes=[b"\x01" * 32],
                latents_root=b"\x02" * 32,
                profile=PROFILE,
                step_s=[0.1] * 4,
                seconds=0.4,
            )
        )

    def fail(self, error):
        next(iter(self.jobs.values())).set_exception(error)


class Escrow:
    """What coordinators hold ready for the miner, by coordinator."""

    def __init__(self):
        self.balances = {}
        self.error = None

    async def account(self, coordinator, miner):
        if self.error is not None:
            raise self.error
        assert miner == 9
        balance, thawing, redeemed = self.balances.get(coordinator, (0, 0, 0))
        return EscrowAccount(
            balance_wei=Wei(balance), thawing_wei=Wei(thawing), thawed_at=0, redeemed_wei=Wei(redeemed), fees_wei=Wei(0)
        )


class Coordinator:
    """A coordinator behind a link: signs in, hands out what the test assigns, notes what it is told."""

    def __init__(self, clock, node_id=1, origin=None, weight=3_000_000) -> None:
        self.clock = clock
        self.node_id = NodeId(node_id)
        self.origin = origin or f"http://127.0.0.1:{8080 + node_id}"
        self.weight = weight
        self.signer = Signer(bytes([0x20 + node_id]) * 32)
        self.signs_as = self.signer
        self.signs_origin = None
        self.reachable = True
        self.open_tasks = 0
        self.last_sequence = 0
        self.expiry_s = 60
        self.session_s = 3_600
        self.requests, self.proofs, self.polls, self.steps, self.uploads, self.failures = [], [], [], [], [], []
        self.progress_reply = ProgressReply(cancelled=False)
        self.submit_errors = []
        self.submit_replies, self.answers, self.answer_replies = [], [], []
        self.sign_in_voucher = None
        self.missed_reply = None
        self.vouchers = []
        self.signed_out = 0
        self.inputs, self.input_errors = {}, []
        self.parked = 0
        self.closed = 0
        self.on_submit = None
        self.tokens = set()
        self._parked = asyncio.Queue()
        self._sequence = 0
        self._nonce = b""

    def node(self):
        return Node(
            node_id=self.node_id,
            role=Role.COORDINATOR,
            owner=self.signer.address,
            operator=self.signer.address,
            weight_wei=Wei(self.weight * CAI),
            own_wei=Wei(0),
            own_active_wei=Wei(0),
            votes_wei=Wei(0),
            votes_active_wei=Wei(0),
            floor_wei=Wei(0),
            commission_bps=0,
            max_commission_bps=0,
            introduction=msgspec.json.encode({"name": "c", "url": self.origin}).decode(),
        )

    def assignment(self, **changes):
        self._sequence = max(self._sequence, self.last_sequence) + 1
        parameters = TaskParameters(
            salt=b"\x07" * 32,
            model_digest=DIGEST,
            prompt="a red apple",
            width_px=64,
            height_px=64,
            steps=4,
            guidance_thousandths=5_000,
            seed=7,
        )
        fields = {
            "coordinator_node": self.node_id,
            "miner_node": NodeId(9),
            "task_id": TaskId(f"{self._sequence:032x}"),
            "attempt": 1,
            "sequence": self._sequence,
            "parameters": parameters,
            "deadline": int(self.clock.now()) + 60,
            "seed_tip": b"\x03" * 32,
            "draw_index": 0,
            "draw_head": b"\x04" * 32,
            "draw_block": 12,
        }
        return Assignment(**(fields | changes))

    def sign(self, assignment):
        digest = DOMAIN.digest(assignment.struct_hash())
        return SignedAssignment(assignment=assignment, signature=self.signs_as.sign(digest))

    def assign(self, **changes):
        signed = self.sign(self.assignment(**changes))
        self._parked.put_nowait(signed)
        return signed.assignment

    def hand_out(self, signed):
        self._parked.put_nowait(signed)

    def restart(self):
        self.tokens.clear()

    # The link.

    def _check(self, token=None):
        if not self.reachable:
            raise CoordinatorUnreachable("nobody answers")
        if token is not None and token not in self.tokens:
            raise NotSignedIn("no such session")

    def _struct_hash(self, request, origin, expiry):
        return hash_sign_in(self.node_id, origin, request.miner_node, request.miner_nonce, self._nonce, expiry)

    async def sign_in(self, request):
        self._check()
        self.requests.append(request)
        self._nonce = bytes([len(self.requests)]) * 32
        expiry = int(self.clock.now()) + self.expiry_s
        struct_hash = self._struct_hash(request, self.signs_origin or request.origin, expiry)
        return SignInOffer(
            coordinator_node=self.node_id,
            coordinator_nonce=self._nonce,
            expiry=expiry,
            last_sequence=self.last_sequence,
            signature=self.signs_as.sign(DOMAIN.digest(struct_hash)),
        )

    async def open_session(self, proof):
        self._check()
        digest = DOMAIN.digest(self._struct_hash(proof, proof.origin, proof.expiry))
        check_signed_by(digest, proof.signature, MINER_KEY.address, "sign-in")
        self.proofs.append(proof)
        token = f"token {len(self.proofs)}"
        self.tokens.add(token)
        return Session(
            token=token,
            expires_at=int(self.clock.now()) + self.session_s,
            open_tasks=self.open_tasks,
            voucher=self.sign_in_voucher,
        )

    async def sign_out(self, token):
        self._check(token)
        self.signed_out += 1

    async def poll(self, token, poll):
        self._check(token)
        self.polls.append(poll)
        self.parked += 1
        waiting = asyncio.create_task(self._parked.get())
        over = asyncio.create_task(self.clock.sleep(25))
        try:
            await asyncio.wait({waiting, over}, return_when=asyncio.FIRST_COMPLETED)
            self._check(token)
            return waiting.result() if waiting.done() else None
        finally:
            self.parked -= 1
            waiting.cancel()
            over.cancel()

    async def progress(self, token, task_id, attempt, progress):
        self._check(token)
        self.steps.append((task_id, progress.step))
        return self.progress_reply

    async def input(self, token, task_id, attempt, digest):
        self._check(token)
        if self.input_errors:
            raise self.input_errors.pop(0)
        return self.inputs[digest]

    async def submit(self, token, task_id, attempt, upload):
        self._check(token)
        if self.on_submit:
            await self.on_submit(upload)
        self.uploads.append((task_id, upload))
        if self.submit_errors:
            raise self.submit_errors.pop(0)
        if self.submit_replies:
            return self._reply(self.submit_replies.pop(0))
        return SubmitReply(voucher=self.vouchers.pop(0) if self.vouchers else None)

    async def answer(self, token, challenge, answer):
        self._check(token)
        self.answers.append((challenge, answer))
        reply = self.answer_replies.pop(0) if self.answer_replies else SubmitReply()
        if reply is None:
            await asyncio.Event().wait()
        return self._reply(reply)

    @staticmethod
    def _reply(reply):
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def fail(self, token, task_id, attempt, failure):
        self._check(token)
        self.failures.append((task_id, failure))

    async def missed(self, token):
        self._check(token)
        return self._reply(self.missed_reply)

    async def close(self):
        self.closed += 1


class Network:
    """A miner, and the coordinators that it can find."""

    def __init__(self, store, clock, pool=None) -> None:
        self.clock = clock
        self.store = store
        self.receipts = DurableReceipts(store)
        self.escrow = Escrow()
        self.pool = pool or Pool()
        self.coordinators = [Coordinator(clock)]

    @property
    def coordinator(self):
        return self.coordinators[0]

    def mining(self, **options):
        return Mining(
            Miner(NodeId(9), MINER_KEY, DOMAIN),
            pool=self.pool,
            receipts=self.receipts,
            latents=KeptLatents(self.store.writer.directory / "latents"),
            escrow=self.escrow,
            coordinators=lambda: [coordinator.node() for coordinator in self.coordinators],
            connect=lambda origin: next(c for c in self.coordinators if c.origin == origin),
            seed=b"\x05" * 32,
            clock=self.clock,
            options=MiningOptions(**({"draw_period_s": 10**9} | options)),
        )

    @asynccontextmanager
    async def running(self, **options):
        """Mine in the background; cancelled at the end."""
        mining = self.mining(**options)
        task = asyncio.create_task(mining.run())
        try:
            yield mining
        finally:
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(outcome, Exception):
                raise outcome

    async def until(self, condition, **how):
        await self.clock.until(condition, **how)

    async def receipt_is(self, assignment, state):
        """Wait until the miner's own record of a receipt has a state."""
        async with asyncio.timeout(10):
            while getattr(await self.receipts.get(assignment.struct_hash()), "state", None) is not state:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)

    def polled(self, count):
        return lambda: len(self.coordinator.polls) >= count
