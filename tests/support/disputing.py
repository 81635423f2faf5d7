"""A chain with long phases and a clock that tests move, a coordinator, an accused miner, and jurors on it."""

import hashlib
import io
import secrets
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec.structs import replace
from PIL import Image

from cuckoo.chain.deployment import deploy, open_undeployed
from cuckoo.chain.deployplan import EMISSION, RESERVE, Order
from cuckoo.chain.devnet import DEPLOYER_KEY, FAUCET_NATIVE
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.demo.cheats import Cheat, CheatingPool
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId, Role, TaskId
from cuckoo.domain.task import Mode, TaskParameters
from cuckoo.inference.messages import Finished
from cuckoo.inference.pool import Job
from cuckoo.protocol.inputs import Inputs
from cuckoo.protocol.messages import EvidenceUpload, ResultUpload, SignedAssignment, encode_binary
from cuckoo.protocol.receipts import Assignment, Receipt, pixel_hash
from cuckoo.services.disputing.accusing import Accusing
from cuckoo.services.disputing.court import Court
from cuckoo.services.disputing.evidence import Evidence
from cuckoo.services.disputing.jury import Jury
from cuckoo.services.disputing.opinion import Opinions
from cuckoo.storage.accusations import NewAccusation
from cuckoo.storage.records import NewReceipt
from cuckoo.storage.store import open_store
from tests.support.chains import bare_chain
from tests.support.coordinating import ShiftedClock
from tests.support.mining import DIGEST, PROFILE
from tests.support.mining import Pool as HandPool
from tests.support.town_chain import TownChain

PHASE_S = 1_000
NO_INPUTS = Inputs()
JURORS = 3


@asynccontextmanager
async def long_phases():
    """Run a chain on which no phase ends by itself while a test runs; gives the network."""
    async with bare_chain(31_337, "--slots-in-an-epoch", "1") as url, await open_undeployed("devnet", [url]) as client:
        sender, rules = Sender(client, DEPLOYER_KEY), client.network.rules
        phases = dict.fromkeys(("claim", "commit", "reveal", "appeal", "jury_epoch"), PHASE_S)
        parameters = replace(
            rules.parameters, **phases, report_window=5_000, unbonding=13_000, commission_notice=14_000
        )
        rules = replace(rules, parameters=parameters, disputes=replace(rules.disputes, coordinator_alone=PHASE_S))
        order = Order(
            governor=sender.address,
            guardian=sender.address,
            treasury=sender.address,
            reserve=RESERVE,
            emission=EMISSION,
            faucet_native=FAUCET_NATIVE,
            rules=rules,
        )
        yield (await deploy(client, sender, order)).network


class Pool(HandPool):
    """Draws one colour for each prompt, at once.

    Attributes:
        profile: what it says it ran on.
        ran: how many jobs.
        inputs: of the last one.
    """

    def __init__(self, profile=PROFILE):
        super().__init__()
        self.profile = profile
        self.ran, self.inputs = 0, ()

    async def run(self, job, on_progress=None):
        self.ran += 1
        parameters, self.inputs = job.parameters, job.inputs
        colour = tuple(hashlib.sha256(parameters.prompt.encode()).digest()[:3])
        image = Image.new("RGB", (parameters.width_px, parameters.height_px), colour)
        file = io.BytesIO()
        image.save(file, "PNG")
        return Finished(
            job_id=job.job_id,
            pictures=[file.getvalue()],
            picture_hashes=[pixel_hash(parameters.height_px, parameters.width_px, image.tobytes())],
            latents_root=hashlib.sha256(b"latents of" + parameters.prompt.encode()).digest(),
            profile=self.profile,
            step_s=[0.1],
            seconds=0.1,
        )


class Link:
    """Evidence without HTTP between."""

    def __init__(self, evidence):
        self._evidence = evidence

    async def evidence(self, dispute):
        return await self._evidence.get(dispute)

    async def evidence_picture(self, dispute, digest):
        return await self._evidence.picture(dispute, digest)

    async def evidence_input(self, dispute, digest):
        return await self._evidence.input(dispute, digest)

    async def file_evidence(self, dispute, evidence):
        await self._evidence.file(dispute, evidence)

    async def close(self):
        pass


class Liar(Link):
    """A coordinator that shows another task than the one that was signed."""

    async def evidence(self, dispute):
        view = await super().evidence(dispute)
        assignment = view.signed.assignment
        other = replace(assignment, parameters=replace(assignment.parameters, prompt="a pear"))
        return replace(view, signed=replace(view.signed, assignment=other))


class Nobody(Link):
    """A coordinator that shows nothing."""

    async def evidence(self, dispute):
        raise NotFound("nothing is shown")


class Courthouse:
    """One coordinator, one accused miner, jurors; what is opened closes with the stack.

    Attributes:
        jurors: node ids.
        links: what jurors ask for evidence, in order.
        pools: by juror; set before ``jury``.
    """

    def __init__(self, network, folder, stack):
        self.network, self.folder, self._stack = network, folder, stack
        self.chain = TownChain(network)
        self.pools = {}
        self.links = []
        self.clock = ShiftedClock()
        self.coordinator = self._register(Role.COORDINATOR, 2_000_000)
        self.miner = self._register(Role.MINER, 20_000)
        self.jurors = [self._register(Role.MINER, 100_000) for _ in range(JURORS)]
        self.chain.send(
            network.faucet, self.chain.token.functions.transfer(self.operator(self.coordinator), 1_000 * CAI)
        )
        self.pass_time(2 * PHASE_S)

    def _register(self, role, own):
        owner = self.chain.person((own + 1) * CAI)
        self.chain.send(owner, self.chain.staking.functions.stake(own * CAI))
        row = self.chain.registration(owner, int(role), own * CAI, 1_000)
        self.chain.send(owner, self.chain.staking.functions.register(row))
        return NodeId(len(self.chain.operators))

    def operator(self, node):
        return self.chain.operators[node].address

    def pass_time(self, seconds):
        """Let chain time pass, and mine what a seed needs."""
        self.chain.pass_time(seconds)
        for _ in range(3):
            self.chain.rpc("evm_mine")

    def until_next_phase(self, dispute):
        ends = self.chain.disputes.functions.disputeOf(dispute).call()[9]
        self.pass_time(max(1, ends - self.chain.now))

    def wallet(self, node):
        return self.chain.token.functions.balanceOf(self.operator(node)).call()

    # What is judged.

    async def result(self, *, pool=None, prompt="a red apple", inputs=NO_INPUTS):
        """Have the accused make a task; gives what the coordinator records."""
        parameters = TaskParameters(
            salt=secrets.token_bytes(32),
            model_digest=DIGEST,
            prompt=prompt,
            width_px=64,
            height_px=64,
            steps=4,
            guidance_thousandths=5_000,
            seed=7,
            mode=Mode.IMAGE if inputs.source else Mode.TEXT,
            source_hash=inputs.source_hash,
            strength_millionths=500_000 if inputs.source else 0,
        )
        now, block = self.chain.now, self.chain.web3.eth.block_number
        assignment = Assignment(
            coordinator_node=self.coordinator,
            miner_node=self.miner,
            task_id=TaskId(secrets.token_hex(16)),
            attempt=1,
            sequence=1,
            parameters=parameters,
            deadline=now,
            seed_tip=b"\3" * 32,
            draw_index=0,
            draw_head=b"\4" * 32,
            draw_block=block,
        )
        made = await (pool or Pool()).run(Job(job_id="1", parameters=parameters, inputs=inputs.payloads))
        receipt = Receipt(
            assignment_hash=assignment.struct_hash(),
            picture_hashes=tuple(made.picture_hashes),
            latents_root=made.latents_root,
            profile=made.profile,
            finished_at=now,
        )
        return assignment, receipt, made.pictures

    async def accuse(self, store, assignment, receipt, pictures, *, inputs=NO_INPUTS):
        """Record an accusation, as an audit does."""
        for one in inputs.payloads:
            await store.writer.execute(store.blobs.put(one))
        digests = [await store.writer.execute(store.blobs.put(picture)) for picture in pictures]
        accusation = NewAccusation(
            assignment_hash=assignment.struct_hash(),
            miner_node=self.miner,
            assignment=encode_binary(assignment),
            assignment_signature=self.chain.sign(self.coordinator, assignment.struct_hash()),
            receipt=encode_binary(receipt),
            receipt_signature=self.chain.sign(self.miner, receipt.struct_hash()),
            pictures=tuple(digests),
            at=self.clock.now(),
        )
        await store.writer.execute(store.accusations.record(accusation))

    async def cheated(self, store):
        """Record an accusation of a miner that sent noise."""
        await self.accuse(store, *await self.result(pool=CheatingPool(Pool(), Cheat.NOISE)))

    async def kept(self, store, assignment, receipt, pictures, *, inputs=NO_INPUTS):
        """Have the accused keep its receipt, as it does before it signs."""
        signed = SignedAssignment(
            assignment=assignment, signature=self.chain.sign(self.coordinator, assignment.struct_hash())
        )
        signature = self.chain.sign(self.miner, receipt.struct_hash())
        upload = ResultUpload(receipt=receipt, signature=signature, pictures=tuple(pictures))
        row = NewReceipt(
            assignment_hash=receipt.assignment_hash,
            coordinator_node=self.coordinator,
            task_id=assignment.task_id,
            attempt=1,
            sequence=1,
            receipt=encode_binary(receipt),
            signature=signature,
            result=encode_binary(upload),
            signed_at=1.0,
            assignment=encode_binary(signed),
            inputs=inputs.payloads,
        )
        await store.writer.execute(store.receipts.record(row))
        await store.writer.execute(store.receipts.settle(row.assignment_hash, accepted=True, reply=b""))
        return EvidenceUpload(assignment=signed, result=upload, inputs=inputs.payloads)

    # Who judges.

    async def court(self, node, stack=None):
        stack = stack or self._stack
        outbox = self.folder / f"outbox-{node}.sqlite"
        client = await stack.enter_async_context(await ChainClient.connect(self.network, outbox=outbox))
        return Court(client, Sender(client, self._key(node)))

    def _key(self, node):
        return self.chain.operators[node]._key.secret

    async def store(self, node, stack=None):
        return await (stack or self._stack).enter_async_context(open_store(self.folder / f"node-{node}"))

    async def accusing(self, stack=None):
        """Start the coordinator's side; gives its store too."""
        store = await self.store(self.coordinator, stack)
        court = await self.court(self.coordinator, stack)
        self.links = [Link(Evidence(store, self.chain.domain, court, passes=None, clock=self.clock))]
        return Accusing(self.coordinator, store, court, clock=self.clock), store

    async def other_coordinator(self):
        """Run another coordinator's evidence, which knows of disputes by the chain only."""
        court = await self.court(self.coordinator)
        await court.live()
        return Evidence(await self.store(99), self.chain.domain, court, passes=None, clock=self.clock)

    async def jury(self, node, stack=None):
        """Start a juror; gives its store too."""
        store = await self.store(node, stack)
        pool = self.pools.setdefault(node, Pool())
        opinions = Opinions(pool, origins=lambda _: self.links, connect=lambda link: link, clock=self.clock)
        court = await self.court(node, stack)
        return Jury(node, store, court, opinions, clock=self.clock, draw=lambda: 0.0), store

    async def look(self, *juries):
        """Let jurors do what is due, and finish what they find out."""
        for jury in juries:
            await jury.look()
        for jury in juries:
            for work in list(jury._working.values()):
                await work
        for jury in juries:
            await jury.look()

    async def judged(self, accusing, juries, dispute=1):
        """Go through claim, commit and reveal, to the time of an appeal."""
        self.pass_time(1)
        for _ in range(3):
            await self.look(*juries)
            self.until_next_phase(dispute)
        await accusing.look()


@asynccontextmanager
async def courthouse(network, folder):
    """Set a stage that is gone afterwards."""
    chain = TownChain(network)
    snapshot = chain.rpc("evm_snapshot")
    try:
        async with AsyncExitStack() as stack:
            yield Courthouse(network, folder, stack)
    finally:
        chain.rpc("evm_revert", snapshot)
