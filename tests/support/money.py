"""Coordinators and miners that pay each other through the real ledgers, vouchers and purse, and a model of what is due."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import ModelDigest, NodeId, Role, TaskId
from cuckoo.domain.pricing import Rates
from cuckoo.domain.task import TaskParameters
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.signing import Signer
from cuckoo.services.bookkeeping.booking import Booking
from cuckoo.services.bookkeeping.checking import check
from cuckoo.services.mining.backing import Backing
from cuckoo.services.mining.coordinators import Coordinator
from cuckoo.services.mining.earnings import check_voucher, shown
from cuckoo.services.mining.receipts import DurableReceipts
from cuckoo.services.mining.seams import Miner, MiningOptions
from cuckoo.services.purse import Purse
from cuckoo.services.redeeming import Redeeming, RedeemRules
from cuckoo.storage.ledger import EARNED, OWED
from cuckoo.storage.records import NewReceipt
from cuckoo.storage.store import open_store
from cuckoo.storage.writer import DATABASE_NAME
from tests.support.coordinating import DOMAIN, HASHER
from tests.support.escrow_chain import CoordinatorOnChain, Died, EscrowChain, Fuse, MinerOnChain, NodeOnChain

REDEEM_AT = Wei(3 * CAI)
TARGET = Wei(10 * CAI)
PARAMETERS = TaskParameters(
    salt=bytes(32),
    model_digest=ModelDigest("ab" * 32),
    prompt="a red apple",
    width_px=64,
    height_px=64,
    steps=4,
    guidance_thousandths=1_000,
    seed=7,
)


class ChainClock:
    """Time as the chain has it."""

    def __init__(self, chain):
        self.chain = chain

    def now(self):
        return float(self.chain.now)

    def monotonic(self):
        return float(self.chain.now) * 10  # what is known of an account is never fresh

    async def sleep(self, _):
        raise AssertionError("nothing waits here")


class Party:
    """A role's process and its folder: killed, started again, backed up, restored."""

    def __init__(self, world, role, node, folder):
        self.world, self.role, self.node, self.folder = world, role, NodeId(node), folder
        self.signer = Signer(node.to_bytes(32, "big"))
        self.fuse = Fuse()
        self.backup = None

    async def open(self):
        self.opened = open_store(self.folder, clock=self.world.clock.now)
        self.store = await self.opened.__aenter__()
        await self.start()

    async def close(self):
        await self.opened.__aexit__(None, None, None)

    async def start(self):
        """Begin with nothing but what is on disk."""
        chain, clock = self.world.chain, self.world.clock
        self.on_chain = NodeOnChain(chain, self.role, self.node, self.fuse)
        self.booking = Booking(self.role, self.store, self.on_chain, interval_s=1.0, clock=clock)
        if self.role is Role.COORDINATOR:
            self.signed_in = set()
            self.purse = Purse(
                self.node,
                self.signer,
                HASHER,
                self.store,
                CoordinatorOnChain(chain, self.node, self.fuse),
                rates=Rates(Wei(1)),
                target_wei=TARGET,
                interval_s=1.0,
                warn_s=0.0,
                clock=clock,
            )
            await self.purse.open()
        else:
            self.me = Miner(self.node, self.signer, DOMAIN)
            self.receipts = DurableReceipts(self.store)
            escrow = MinerOnChain(chain, self.node, self.fuse)
            self.backing = Backing(self.me, self.receipts, escrow, clock, MiningOptions(draw_period_s=10))
            self.redeeming = Redeeming(
                self.store.vouchers, escrow, RedeemRules(at_wei=REDEEM_AT), interval_s=1.0, clock=clock
            )
            for coordinator in self.world.coordinators:
                coordinator.signed_in.discard(self.node)

    async def back_up(self):
        path = self.folder.parent / f"{self.folder.name}.backup"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.folder / DATABASE_NAME)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
        self.backup = path, self.world.remember(self)

    async def restore(self):
        if self.backup is None:
            return
        await self.close()
        for old in self.folder.glob(f"{DATABASE_NAME}*"):
            old.unlink()
        shutil.copy(self.backup[0], self.folder / DATABASE_NAME)
        self.world.recall(self, self.backup[1])
        await self.open()


class World:
    """Two coordinators, two miners, one chain.

    Attributes:
        owed: what each coordinator owes each miner, by the rules: its database, restored or not, raised to what voucher
            and chain show at a sign-in.
        earned, vouchers: what each miner's database must hold, by (miner, coordinator).
        accepted: tasks that a coordinator's database has as done.
        assigned: tasks that it has at all.
    """

    def __init__(self, folder):
        self.chain = EscrowChain(HASHER, {})
        self.clock = ChainClock(self.chain)
        self.coordinators = [Party(self, Role.COORDINATOR, node, folder / f"c{node}") for node in (1, 2)]
        self.miners = [Party(self, Role.MINER, node, folder / f"m{node}") for node in (11, 12)]
        self.parties = [*self.coordinators, *self.miners]
        self.chain.operators |= {party.node: party.signer.address for party in self.coordinators}
        self.owed, self.earned, self.vouchers = Counter(), Counter(), Counter()
        self.accepted, self.assigned = {}, {}
        self.tasks = 0

    def remember(self, party):
        mine = {
            name: {key: value for key, value in getattr(self, name).items() if key[0] == party.node}
            for name in ("owed", "earned", "vouchers")
        }
        return mine, set(self.accepted.get(party.node, ())), set(self.assigned.get(party.node, ()))

    def recall(self, party, state):
        mine, accepted, assigned = state
        for name, values in mine.items():
            kept = {key: value for key, value in getattr(self, name).items() if key[0] != party.node}
            setattr(self, name, Counter(kept | values))
        self.accepted[party.node], self.assigned[party.node] = set(accepted), set(assigned)

    async def sign_in(self, coordinator, miner):
        if miner.node in coordinator.signed_in:
            return
        voucher = await miner.receipts.best_voucher(coordinator.node)
        await coordinator.purse.admit(miner.node, shown(voucher, miner.me))
        pair = coordinator.node, miner.node
        redeemed = self.chain.account(*pair).redeemed_wei
        back = pair[::-1]
        self.owed[pair] = max(self.owed[pair], self.vouchers[back], redeemed)
        coordinator.signed_in.add(miner.node)
        if (signed := coordinator.purse.voucher(miner.node)) is not None:
            await miner.receipts.keep(self.checked(coordinator, miner, signed))
            self.vouchers[back] = max(self.vouchers[back], signed.voucher.cumulative)
            assert self.vouchers[back] == self.owed[pair]

    async def work(self, coordinator, miner, price):
        """Assign a task, sign its result and deliver it."""
        await self.sign_in(coordinator, miner)
        self.tasks += 1
        task = TaskId(f"{self.tasks:032x}")
        assignment = self._assignment(coordinator, miner, task, price)
        if coordinator.purse.free_wei(miner.node) < price or await miner.backing.refusal(assignment, lambda: 0):
            return
        self.assigned.setdefault(coordinator.node, set()).add(task)
        stored = await miner.receipts.record(
            NewReceipt(
                assignment_hash=assignment.struct_hash(),
                coordinator_node=coordinator.node,
                task_id=task,
                attempt=1,
                sequence=self.tasks,
                receipt=b"receipt",
                signature=b"signature",
                result=b"pictures",
                signed_at=self.clock.now(),
                price_wei=Wei(price),
            )
        )
        await self.deliver(coordinator, miner, stored)

    def _assignment(self, coordinator, miner, task, price):
        return Assignment(
            coordinator_node=coordinator.node,
            miner_node=miner.node,
            task_id=task,
            attempt=1,
            sequence=self.tasks,
            parameters=PARAMETERS,
            price=Wei(price),
            deadline=self.chain.now + 60,
            seed_tip=bytes(32),
            draw_index=0,
            draw_head=bytes(32),
            draw_block=0,
        )

    async def deliver(self, coordinator, miner, stored):
        """Upload a result, as often as it takes; both sides may die anywhere."""
        await self.sign_in(coordinator, miner)
        task, pair = stored.task_id, (coordinator.node, miner.node)
        if task not in self.assigned.get(coordinator.node, ()):
            await miner.receipts.settle(stored.assignment_hash, accepted=False, reply=b"no such task")
            return
        coordinator.fuse.burn("before accepting")
        if task not in self.accepted.setdefault(coordinator.node, set()):
            owed = coordinator.purse.owe(miner.node, task, 1, "result", stored.price_wei, self.clock.now())
            await coordinator.store.writer.execute(owed)
            coordinator.purse.committed(miner.node, stored.price_wei)
            self.accepted[coordinator.node].add(task)
            self.owed[pair] += stored.price_wei
        coordinator.fuse.burn("accepted")
        signed = coordinator.purse.voucher(miner.node)
        assert signed.voucher.cumulative == self.owed[pair]
        miner.fuse.burn("answer lost")
        voucher = self.checked(coordinator, miner, signed)
        earned, holds = await miner.receipts.earn(stored, reply=b"accepted", voucher=voucher)
        miner.backing.paid(coordinator.node, holds)
        back = pair[::-1]
        self.earned[back] += stored.price_wei
        self.vouchers[back] = max(self.vouchers[back], signed.voucher.cumulative)
        assert (earned, holds) == (self.earned[back], self.vouchers[back])
        assert holds >= earned, "a miner must never take an honest coordinator for a cheat"
        miner.fuse.burn("earned")

    def checked(self, coordinator, miner, signed):
        whose = Coordinator(coordinator.node, coordinator.signer.address, "", Wei(0))
        return check_voucher(signed, whose, miner.me, self.clock.now())

    async def deliver_again(self, miner):
        for stored in await miner.receipts.unsettled():
            await self.deliver(self.coordinators[stored.coordinator_node - 1], miner, stored)

    async def book(self, party):
        await party.booking.advance()
        if party.role is Role.MINER:
            unanswered = {stored.coordinator_node for stored in await party.receipts.unsettled()}
            redeemed = await party.store.ledger.cumulatives("redeemed")
            for coordinator in self.coordinators:
                back = party.node, coordinator.node
                if coordinator.node not in unanswered:
                    known = max(self.vouchers[back], redeemed.get(coordinator.node, 0))
                    self.earned[back] = max(self.earned[back], known)

    async def withdraw(self, coordinator, miner):
        """Let what thaws be withdrawn, after the miner has looked: a thaw takes longer than its interval."""
        await self.sign_in(coordinator, miner)
        await self.deliver_again(miner)
        await miner.redeeming.look()
        account = self.chain.account(coordinator.node, miner.node)
        if account.thawing_wei:
            self.chain.pass_time(self.chain.thaw_s)
            self.chain.withdraw(coordinator.node, miner.node)

    async def dying(self, what, place="", victims=()):
        """Do something during which a process may die; those that died start again."""
        for victim in victims:
            victim.fuse.place = place
        try:
            await what
        except Died:
            for victim in victims:
                await victim.start()
        except Conflict as error:
            raise AssertionError(f"booked twice: {error}") from error
        for victim in victims:
            victim.fuse.place = ""

    async def end_of_day(self):
        """Let everything come to rest, and compare."""
        for miner in self.miners:
            await self.deliver_again(miner)
            for coordinator in self.coordinators:
                await self.sign_in(coordinator, miner)
        for coordinator in self.coordinators:
            await coordinator.purse.refresh()
            while any(2 * coordinator.purse.free_wei(miner.node) < TARGET for miner in self.miners):
                await coordinator.purse.refresh()
        self.chain.pass_time(1, blocks=4)
        for party in self.parties:
            await self.book(party)
        for party in self.parties:
            outcome = await check(party.role, party.store.reader, party.on_chain)
            assert not outcome.differences, (party.role, party.node, outcome.differences)
            assert outcome.pending == 0
        for coordinator in self.coordinators:
            for miner in self.miners:
                pair, back = (coordinator.node, miner.node), (miner.node, coordinator.node)
                assert await coordinator.store.ledger.cumulative(OWED, miner.node) == self.owed[pair]
                assert await miner.store.ledger.cumulative(EARNED, coordinator.node) == self.earned[back]
                best = await miner.receipts.best_voucher(coordinator.node)
                assert (best.cumulative_wei if best else 0) == self.vouchers[back]
                assert self.owed[pair] == self.earned[back] == self.vouchers[back], "restored or not"
