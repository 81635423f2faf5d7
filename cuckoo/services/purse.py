"""A coordinator's purse: what it owes each miner, what backs that on chain, and the vouchers it signs.

What is owed rises in the transaction that accepts a result; a voucher is signed after its commit. What backs it is
ring-fenced in Escrow, topped up ahead of need from the operator's wallet. At sign-in the highest of database, valid
voucher and chain holds, so that no restored backup rolls money back.
"""

from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from cuckoo.chain.contracts import StakingContract, TokenContract
from cuckoo.chain.escrow import MOST_MINERS, EscrowAccount, EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import CuckooError, SignatureInvalid, TransientError
from cuckoo.domain.identifiers import Address, NodeId, TaskId
from cuckoo.domain.pricing import Rates
from cuckoo.protocol.eip712 import Hasher
from cuckoo.protocol.messages import SignedVoucher
from cuckoo.protocol.receipts import Voucher
from cuckoo.protocol.signing import Signer, recover
from cuckoo.runtime.clock import Clock
from cuckoo.storage.ledger import OWED
from cuckoo.storage.records import Entry, NewEntry
from cuckoo.storage.store import Store
from cuckoo.storage.writer import Command

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)

DAY_S = 86_400.0
RATE_OVER_S = DAY_S
"""The present rate of spending is that of the last day, or since the start."""
SAMPLE_S = 60.0
TOP_UPS_AHEAD = 20
TOP_UP_GAS = 300_000
WARNINGS = {
    "wallet_short": "this coordinator can not hold enough ready for its miners: send CAI to its operator",
    "not_topped_up": "a deposit into escrow was refused",
    "wallet_low": "this coordinator's wallet runs dry: send CAI to its operator",
    "gas_low": "this coordinator has little gas left for topping up: send native coin to its operator",
}
"""What a purse may warn of, and how it says so."""


class PurseAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One miner's account: what it has earned and was not paid yet, what it was paid, what is ready beyond that."""

    miner: NodeId
    owed_wei: Wei
    redeemed_wei: Wei
    free_wei: Wei


class EscrowOnChain(Protocol):
    """What the purse does on chain. All raise TransientError when the chain does not answer."""

    async def account(self, miner: NodeId) -> EscrowAccount:
        """Read what is held ready for a miner."""

    async def wallet_wei(self) -> Wei:
        """Read what the operator's wallet holds."""

    async def native_wei(self) -> int:
        """Read what the operator's wallet has for gas."""

    async def gas_price_wei(self) -> int:
        """Read what a unit of gas costs now."""

    async def deposit(self, amounts: list[tuple[NodeId, Wei]]) -> None:
        """Hold more ready."""

    async def was_operator(self, signer: Address) -> bool:
        """Tell whether a key is or was this coordinator's operator."""


class Purse:
    """Owes, backs, signs.

    Attributes:
        wallet_wei, native_wei: what the operator's wallet had when it was last read; None before.
        warnings: what is wrong now, by kind: see :data:`WARNINGS`.
    """

    def __init__(  # noqa: PLR0913 - what it works with, by name
        self,
        coordinator: NodeId,
        signer: Signer,
        hasher: Hasher,
        store: Store,
        chain: EscrowOnChain,
        *,
        rates: Rates,
        target_wei: Wei,
        interval_s: float,
        warn_s: float,
        clock: Clock,
    ) -> None:
        """Take what it works with; call ``open`` before anything else.

        Args:
            coordinator: our node.
            signer: our operator's key.
            hasher: the EIP-712 domain.
            store: its ledger keeps what is owed.
            chain: the escrow.
            rates: what a megapixel-step costs.
            target_wei: what to hold ready for each miner where anything has a price; topped up at half of it.
            interval_s: how often accounts are read.
            warn_s: warn when the wallet lasts for less at the present rate.
            clock: time.
        """
        self._coordinator = coordinator
        self._signer = signer
        self._hasher = hasher
        self._store = store
        self._chain = chain
        self.rates = rates
        self._target_wei = Wei(0) if rates.free else target_wei
        self._interval_s = interval_s
        self._clock = clock
        self._owed: dict[NodeId, int] = {}
        self._held: dict[NodeId, int] = {}
        self._on_disk: dict[NodeId, int] = {}
        self._accounts: dict[NodeId, EscrowAccount] = {}
        self._warn_s = warn_s
        self._earned_wei = 0
        self._samples: deque[tuple[float, int]] = deque([(clock.monotonic(), 0)])
        self._unanswered = False
        self.wallet_wei: Wei | None = None
        self.native_wei: int | None = None
        self.warnings: dict[str, str] = {}
        self.changed: Callable[[NodeId], None] = lambda _: None

    async def open(self) -> None:
        """Read from the ledger what is owed."""
        self._owed = await self._store.ledger.cumulatives(OWED)
        self._on_disk = dict(self._owed)

    # What dispatch needs.

    def free_wei(self, miner: NodeId) -> Wei:
        """Return what is held ready for a miner beyond what it has earned."""
        account = self._accounts.get(miner)
        taken = self._owed.get(miner, 0) + self._held.get(miner, 0)
        return account.free_wei(taken) if account else Wei(0)

    def hold(self, miner: NodeId, amount_wei: int) -> None:
        """Keep so much free for a miner, whose result is not paid before it is checked; less than 0 ends that."""
        self._held[miner] = self._held.get(miner, 0) + amount_wei

    def owe(
        self, miner: NodeId, task_id: TaskId, attempt: int, kind: str, amount_wei: Wei, at: float
    ) -> Command[Entry]:
        """Owe a miner for an attempt, as part of the commit that ends it.

        Args:
            miner: whom.
            task_id, attempt: for what.
            kind: "result", or "cancelled" for the steps that were done until then.
            amount_wei: how much.
            at: unix seconds.
        """
        self._owed[miner] = self._owed.get(miner, 0) + amount_wei
        self._earned_wei += amount_wei
        return self._store.ledger.append(
            NewEntry(
                account=OWED,
                kind=kind,
                amount_wei=amount_wei,
                counterparty=miner,
                at=at,
                task_id=task_id,
                attempt=attempt,
            )
        )

    async def earned_wei(self, miner: NodeId, task_id: TaskId, attempt: int) -> Wei:
        """Read what an attempt of a miner has earned."""
        return await self._store.ledger.earned_wei(OWED, miner, task_id, attempt)

    def committed(self, miner: NodeId, amount_wei: Wei) -> None:
        """Note that what ``owe`` added is on disk: from now on vouchers promise it."""
        self._on_disk[miner] = self._on_disk.get(miner, 0) + amount_wei

    def voucher(self, miner: NodeId) -> SignedVoucher | None:
        """Sign all that a miner has earned and that is on disk; None when it has earned nothing."""
        cumulative_wei = self._on_disk.get(miner, 0)
        if not cumulative_wei:
            return None
        voucher = Voucher(coordinator_node=self._coordinator, miner_node=miner, cumulative=Wei(cumulative_wei))
        return SignedVoucher(voucher=voucher, signature=self._signer.sign(self._hasher.digest(voucher.struct_hash())))

    async def admit(self, miner: NodeId, shown: SignedVoucher | None) -> None:
        """Take in what chain and miner know at a sign-in, and hold CAI ready where there is not enough.

        Args:
            miner: who signs in.
            shown: the best voucher that it has of us.

        Raises:
            TransientError: the chain does not answer.
            SignatureInvalid: the voucher is not ours, or not for this miner.
        """
        account = self._accounts[miner] = await self._account(miner)
        known = {"chain": account.redeemed_wei, "voucher": await self._worth(miner, shown)}
        owed = self._owed.get(miner, 0)
        source, highest = max(known.items(), key=lambda item: item[1])
        if highest > owed:
            log.warning(
                "this database knew less than others: what is owed is taken from there",
                miner=miner,
                source=source,
                cai=format_cai(Wei(highest - owed)),
            )
            self._owed[miner] = highest
            await self._store.writer.execute(
                self._store.ledger.append(
                    NewEntry(
                        account=OWED,
                        kind=f"adopted from {source}",
                        amount_wei=Wei(highest - owed),
                        counterparty=miner,
                        at=self._clock.now(),
                    )
                )
            )
            self.committed(miner, Wei(highest - owed))
        if self._runs_low(miner):
            try:
                await self._top_up()
            except TransientError as error:
                log.warning("escrow not topped up", reason=str(error))

    async def _account(self, miner: NodeId) -> EscrowAccount:
        """Read an account; while the chain does not answer, what this process knew before holds."""
        try:
            return await self._chain.account(miner)
        except TransientError:
            if miner not in self._accounts:
                raise
            return self._accounts[miner]

    async def _worth(self, miner: NodeId, shown: SignedVoucher | None) -> int:
        if shown is None:
            return 0
        voucher = shown.voucher
        if (voucher.coordinator_node, voucher.miner_node) != (self._coordinator, miner):
            raise SignatureInvalid(
                f"take a voucher: it is of coordinator {voucher.coordinator_node} for miner {voucher.miner_node}"
            )
        signer = recover(self._hasher.digest(voucher.struct_hash()), shown.signature)
        if signer != self._signer.address and not await self._chain.was_operator(signer):
            raise SignatureInvalid(f"take a voucher: {signer}, who signed it, never was operator here")
        return voucher.cumulative

    # The service.

    async def run(self) -> None:
        """Read the accounts and top them up, until cancelled."""
        while True:
            await self._clock.sleep(self._interval_s)
            try:
                await self.refresh()
            except TransientError as error:
                if not self._unanswered:
                    log.warning("escrow not read; what was known before holds", reason=str(error))
                self._unanswered = True
            else:
                self._unanswered = False

    async def refresh(self) -> None:
        """Read all accounts once, tell what changed, and top up; raises TransientError."""
        for miner in list(self._accounts):
            account = await self._chain.account(miner)
            if account != self._accounts[miner]:
                self._accounts[miner] = account
                self.changed(miner)
        await self._top_up()
        await self._look_ahead()

    def _runs_low(self, miner: NodeId) -> bool:
        return 2 * self.free_wei(miner) < self._target_wei

    async def _top_up(self) -> None:
        wanted = [
            (miner, Wei(self._target_wei - self.free_wei(miner))) for miner in self._accounts if self._runs_low(miner)
        ][:MOST_MINERS]
        if not wanted:
            self._warn("wallet_short", "")
            return
        wallet = await self._chain.wallet_wei()
        total = sum(amount for _, amount in wanted)
        short = wallet < total
        self._warn("wallet_short", f"{format_cai(wallet)} CAI are there, {format_cai(total)} wanted" if short else "")
        if short:
            return
        try:
            await self._chain.deposit(wanted)
        except TransientError:
            raise
        except CuckooError as error:
            self._warn("not_topped_up", str(error))
            return
        self._warn("not_topped_up", "")
        for miner, _ in wanted:
            self._accounts[miner] = await self._chain.account(miner)
            self.changed(miner)
        log.info("escrow topped up", miners=len(wanted), cai=format_cai(Wei(total)))

    # What is shown.

    def accounts(self) -> list[PurseAccount]:
        """Return the accounts of the miners that signed in since the start."""
        return [
            PurseAccount(
                miner=miner,
                owed_wei=Wei(max(0, self._owed.get(miner, 0) - account.redeemed_wei)),
                redeemed_wei=account.redeemed_wei,
                free_wei=self.free_wei(miner),
            )
            for miner, account in self._accounts.items()
        ]

    @property
    def lasts_s(self) -> float | None:
        """How long the wallet lasts at the present rate; None while nothing is spent or known."""
        at, earned = self._samples[0]
        spent, over_s = self._earned_wei - earned, self._clock.monotonic() - at
        if self.wallet_wei is None or over_s < SAMPLE_S or not spent:
            return None
        return self.wallet_wei / spent * over_s

    async def _look_ahead(self) -> None:
        """Read the wallet, and warn before it is empty; raises TransientError."""
        now = self._clock.monotonic()
        if now - self._samples[-1][0] >= SAMPLE_S:
            self._samples.append((now, self._earned_wei))
        while len(self._samples) > 1 and now - self._samples[0][0] > RATE_OVER_S:
            self._samples.popleft()
        self.wallet_wei, self.native_wei = await self._chain.wallet_wei(), await self._chain.native_wei()
        lasts_s = self.lasts_s
        low = lasts_s is not None and lasts_s < self._warn_s
        self._warn(
            "wallet_low",
            f"{format_cai(self.wallet_wei)} CAI last {(lasts_s or 0) / DAY_S:.1f} days at the present rate"
            if low
            else "",
        )
        if self._target_wei:
            needed = TOP_UPS_AHEAD * TOP_UP_GAS * await self._chain.gas_price_wei()
            has = f"{format_cai(self.native_wei)} native coin are there, {format_cai(needed)} wanted"
            self._warn("gas_low", has if self.native_wei < needed else "")

    def _warn(self, kind: str, reason: str) -> None:
        """Say once that something is wrong, and once that it is over."""
        if reason and kind not in self.warnings:
            log.warning(WARNINGS[kind], operator=self._signer.address, reason=reason)
        elif not reason and kind in self.warnings:
            log.info("a warning is over", kind=kind)
        if reason:
            self.warnings[kind] = reason
        else:
            self.warnings.pop(kind, None)


class CoordinatorEscrow:
    """The escrow of one coordinator, through its operator's wallet."""

    def __init__(self, client: ChainClient, sender: Sender, coordinator: NodeId) -> None:
        """Bind to a network and a wallet."""
        self._client = client
        self._escrow = EscrowContract(client)
        self._token = TokenContract(client)
        self._staking = StakingContract(client)
        self._sender = sender
        self._coordinator = coordinator

    async def account(self, miner: NodeId) -> EscrowAccount:
        """Read what is held ready for a miner."""
        return await self._escrow.account(self._coordinator, miner)

    async def wallet_wei(self) -> Wei:
        """Read what the operator's wallet holds."""
        return await self._token.balance(self._sender.address)

    async def native_wei(self) -> int:
        """Read what the operator's wallet has for gas."""
        return await self._client.native_balance(self._sender.address)

    async def gas_price_wei(self) -> int:
        """Read what a unit of gas costs now."""
        return await self._client.gas_price_wei()

    async def deposit(self, amounts: list[tuple[NodeId, Wei]]) -> None:
        """Approve exactly the sum, and deposit it."""
        total = Wei(sum(amount for _, amount in amounts))
        if await self._token.allowance(self._sender.address, self._escrow.address) < total:
            await self._token.approve(self._sender, self._escrow.address, total)
        await self._escrow.deposit(self._sender, self._coordinator, amounts)

    async def was_operator(self, signer: Address) -> bool:
        """Tell whether a key is or was this coordinator's operator."""
        node_id, _ = await self._staking.operator_of(signer)
        return node_id == self._coordinator
