"""The Escrow contract in a few lines, on a chain that can reorganise: exact to the wei, checked against the real one."""

import hashlib
from dataclasses import dataclass, field, replace

from cuckoo.chain.escrow import EscrowAccount, Movement, MovementKind
from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import CuckooError
from cuckoo.domain.identifiers import Role
from cuckoo.protocol.receipts import Voucher
from cuckoo.protocol.signing import recover

UNFINAL = 3
"""The newest blocks that a reorganisation may take away."""


class Refused(CuckooError):
    """The contract reverts."""


@dataclass(frozen=True)
class Account:
    balance: int = 0
    thawing: int = 0
    thawed_at: int = 0
    redeemed: int = 0
    fees: int = 0


@dataclass(frozen=True)
class Block:
    number: int
    at: int
    accounts: dict
    paid: dict
    movements: tuple = ()
    transaction: object = None


@dataclass
class EscrowChain:
    """A block for each transaction.

    Attributes:
        hasher: the domain of vouchers.
        operators: by coordinator.
        thaw_s: how long a thaw takes.
    """

    hasher: object
    operators: dict
    thaw_s: int = 30
    now: int = 1_000
    blocks: list = field(default_factory=lambda: [Block(0, 1_000, {}, {})])
    sent: int = 0

    # What the contract does: each takes accounts and what was paid out of it, changes them, and says what moved.

    def deposit(self, coordinator, amounts):
        def act(accounts, paid):
            for miner, amount in amounts:
                if amount == 0:
                    raise Refused("AmountZero")
                before = accounts.get((coordinator, miner), Account())
                accounts[coordinator, miner] = replace(before, balance=before.balance + amount)
                yield MovementKind.DEPOSITED, coordinator, miner, amount, 0

        self._mine(act)

    def thaw(self, coordinator, miner, amount):
        def act(accounts, paid):
            before = accounts.get((coordinator, miner), Account())
            if not 0 < amount <= before.balance - before.thawing:
                raise Refused("BalanceTooLow")
            accounts[coordinator, miner] = replace(
                before, thawing=before.thawing + amount, thawed_at=self.now + self.thaw_s
            )
            yield MovementKind.THAW_STARTED, coordinator, miner, amount, 0

        self._mine(act)

    def withdraw(self, coordinator, miner):
        def act(accounts, paid):
            before = accounts.get((coordinator, miner), Account())
            if not before.thawing or self.now < before.thawed_at:
                raise Refused("NothingThaws")
            accounts[coordinator, miner] = replace(before, balance=before.balance - before.thawing, thawing=0)
            paid["withdrawn"] = paid.get("withdrawn", 0) + before.thawing
            yield MovementKind.WITHDRAWN, coordinator, miner, before.thawing, 0

        self._mine(act)

    def redeem(self, coordinator, miner, cumulative, signature):
        voucher = Voucher(coordinator_node=coordinator, miner_node=miner, cumulative=Wei(cumulative))
        signer = recover(self.hasher.digest(voucher.struct_hash()), signature)

        def act(accounts, paid):
            before = accounts.get((coordinator, miner), Account())
            if signer != self.operators[coordinator]:
                raise Refused("VoucherSignerInvalid")
            if cumulative <= before.redeemed or not before.balance:
                raise Refused("NothingToRedeem")
            amount = min(cumulative - before.redeemed, before.balance)
            fees, left = amount * 10 // 100, before.balance - amount
            accounts[coordinator, miner] = replace(
                before,
                balance=left,
                thawing=min(before.thawing, left),
                redeemed=before.redeemed + amount,
                fees=before.fees + fees,
            )
            paid[miner] = paid.get(miner, 0) + amount - fees
            yield MovementKind.REDEEMED, coordinator, miner, amount, fees

        self._mine(act)

    def pass_fees(self, coordinator, miner):
        def act(accounts, paid):
            before = accounts.get((coordinator, miner), Account())
            if not before.fees:
                raise Refused("NoFees")
            accounts[coordinator, miner] = replace(before, fees=0)
            paid["stakers"] = paid.get("stakers", 0) + before.fees
            yield MovementKind.FEES_PASSED, coordinator, miner, before.fees, 0

        self._mine(act)

    # The chain.

    def _mine(self, act, transaction=b""):
        tip = self.blocks[-1]
        self.now += 1
        accounts, paid = dict(tip.accounts), dict(tip.paid)
        moved = list(act(accounts, paid)) if act else []
        if not transaction:
            self.sent += 1
            transaction = hashlib.sha256(b"%d" % self.sent).digest()
        movements = tuple(
            Movement(
                kind=kind,
                coordinator=coordinator,
                miner=miner,
                amount_wei=Wei(amount),
                fees_wei=Wei(fees),
                at=self.now,
                reference=f"{transaction.hex()}/{number}",
            )
            for number, (kind, coordinator, miner, amount, fees) in enumerate(moved)
        )
        self.blocks.append(Block(tip.number + 1, self.now, accounts, paid, movements, (act, transaction)))

    def pass_time(self, seconds, blocks=1):
        self.now += seconds
        for _ in range(blocks):
            self._mine(None)

    def reorganise(self, depth, *, again):
        """Take away the newest blocks; ``again``: their transactions get into new ones, where they still can."""
        depth = min(depth, UNFINAL, len(self.blocks) - 1)
        lost, self.blocks = self.blocks[len(self.blocks) - depth :], self.blocks[: len(self.blocks) - depth]
        for block in lost:
            act, transaction = block.transaction
            try:
                self._mine(act if again else None, transaction)
            except Refused:
                self._mine(None)

    @property
    def tip(self):
        return self.blocks[-1]

    def account(self, coordinator, miner, block=-1):
        found = self.blocks[block].accounts.get((coordinator, miner), Account())
        return EscrowAccount(
            balance_wei=Wei(found.balance),
            thawing_wei=Wei(found.thawing),
            thawed_at=found.thawed_at,
            redeemed_wei=Wei(found.redeemed),
            fees_wei=Wei(found.fees),
        )


class Fuse:
    """Ends a process at a named place, once."""

    def __init__(self):
        self.place = ""

    def burn(self, place):
        if self.place == place:
            self.place = ""
            raise Died(place)


class Died(Exception):
    """A process was killed."""


class CoordinatorOnChain:
    """What a purse does on chain."""

    def __init__(self, chain, coordinator, fuse):
        self.chain, self.coordinator, self.fuse = chain, coordinator, fuse
        self.wallet = 10**6 * 10**18

    async def account(self, miner):
        return self.chain.account(self.coordinator, miner)

    async def wallet_wei(self):
        return Wei(self.wallet)

    async def native_wei(self):
        return 10**18

    async def gas_price_wei(self):
        return 1

    async def deposit(self, amounts):
        self.chain.deposit(self.coordinator, amounts)
        self.fuse.burn("deposited")

    async def was_operator(self, signer):
        return signer == self.chain.operators[self.coordinator]


class MinerOnChain:
    """What redeeming does on chain, and where a miner reads what backs its work."""

    def __init__(self, chain, miner, fuse):
        self.chain, self.miner, self.fuse = chain, miner, fuse

    async def account(self, coordinator, miner=None):
        assert miner in (None, self.miner)
        return self.chain.account(coordinator, self.miner)

    async def gas_price_wei(self):
        return 1

    async def redeem(self, voucher):
        self.fuse.burn("before redeeming")
        self.chain.redeem(voucher.coordinator_node, self.miner, voucher.cumulative_wei, voucher.signature)
        self.fuse.burn("redeemed")

    async def pass_fees(self, coordinator):
        self.chain.pass_fees(coordinator, self.miner)


class NodeOnChain:
    """What booking and checking read."""

    first_block = 0

    def __init__(self, chain, role, node, fuse):
        self.chain, self.role, self.node, self.fuse = chain, role, node, fuse

    async def genesis(self):
        return "00"

    async def final_block(self):
        return max(0, self.chain.tip.number - UNFINAL)

    async def latest_block(self):
        return self.chain.tip.number

    async def account(self, other, block):
        pair = (other, self.node) if self.role is Role.MINER else (self.node, other)
        return self.chain.account(*pair, block)

    async def movements(self, first_block, last_block):
        found = [
            movement
            for block in self.chain.blocks[first_block : last_block + 1]
            for movement in block.movements
            if self.node == (movement.miner if self.role is Role.MINER else movement.coordinator)
        ]
        self.fuse.burn("movements read")
        return found
