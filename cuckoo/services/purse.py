"""A coordinator's purse: what it owes each miner, what backs that on chain, and the vouchers it signs.

What is owed rises in the transaction that accepts a result; a voucher is signed after its commit. What backs it is
ring-fenced in Escrow, topped up ahead of need from the operator's wallet. At sign-in the highest of database, valid
voucher and chain holds, so that no restored backup rolls money back.
"""

from typing import TYPE_CHECKING, Protocol

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
from cuckoo.storage.records import Entry, NewEntry
from cuckoo.storage.store import Store
from cuckoo.storage.writer import Command

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger(__name__)

OWED = "owed"
"""The ledger's account of what miners have earned here, by miner; its sum is a voucher's cumulative."""


class EscrowOnChain(Protocol):
    """What the purse does on chain. All raise TransientError when the chain does not answer."""

    async def account(self, miner: NodeId) -> EscrowAccount:
        """Read what is held ready for a miner."""

    async def wallet_wei(self) -> Wei:
        """Read what the operator's wallet holds."""

    async def deposit(self, amounts: list[tuple[NodeId, Wei]]) -> None:
        """Hold more ready."""

    async def was_operator(self, signer: Address) -> bool:
        """Tell whether a key is or was this coordinator's operator."""


class Purse:
    """Owes, backs, signs."""

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
        self._on_disk: dict[NodeId, int] = {}
        self._accounts: dict[NodeId, EscrowAccount] = {}
        self._told_poor = False
        self.changed: Callable[[NodeId], None] = lambda _: None

    async def open(self) -> None:
        """Read from the ledger what is owed."""
        self._owed = await self._store.ledger.cumulatives(OWED)
        self._on_disk = dict(self._owed)

    # What dispatch needs.

    def free_wei(self, miner: NodeId) -> Wei:
        """Return what is held ready for a miner beyond what it has earned."""
        account = self._accounts.get(miner)
        return account.free_wei(self._owed.get(miner, 0)) if account else Wei(0)

    def owe(self, miner: NodeId, task_id: TaskId, attempt: int, amount_wei: Wei, at: float) -> Command[Entry]:
        """Owe a miner the price of a result, as part of the commit that accepts it."""
        self._owed[miner] = self._owed.get(miner, 0) + amount_wei
        return self._store.ledger.append(
            NewEntry(
                account=OWED,
                kind="result",
                amount_wei=amount_wei,
                counterparty=miner,
                at=at,
                task_id=task_id,
                attempt=attempt,
            )
        )

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
        account = self._accounts[miner] = await self._chain.account(miner)
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
            await self._top_up()

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
                log.warning("escrow not read; what was known before holds", reason=str(error))

    async def refresh(self) -> None:
        """Read all accounts once, tell what changed, and top up; raises TransientError."""
        for miner in list(self._accounts):
            account = await self._chain.account(miner)
            if account != self._accounts[miner]:
                self._accounts[miner] = account
                self.changed(miner)
        await self._top_up()

    def _runs_low(self, miner: NodeId) -> bool:
        return 2 * self.free_wei(miner) < self._target_wei

    async def _top_up(self) -> None:
        wanted = [
            (miner, Wei(self._target_wei - self.free_wei(miner))) for miner in self._accounts if self._runs_low(miner)
        ][:MOST_MINERS]
        if not wanted:
            return
        wallet = await self._chain.wallet_wei()
        total = sum(amount for _, amount in wanted)
        if wallet < total:
            if not self._told_poor:
                log.warning(
                    "this coordinator can not hold enough ready for its miners: send CAI to its operator",
                    operator=self._signer.address,
                    has=format_cai(wallet),
                    needs=format_cai(Wei(total)),
                )
            self._told_poor = True
            return
        self._told_poor = False
        try:
            await self._chain.deposit(wanted)
        except TransientError:
            raise
        except CuckooError as error:
            log.warning("escrow not topped up", reason=str(error))
            return
        for miner, _ in wanted:
            self._accounts[miner] = await self._chain.account(miner)
            self.changed(miner)
        log.info("escrow topped up", miners=len(wanted), cai=format_cai(Wei(total)))


class CoordinatorEscrow:
    """The escrow of one coordinator, through its operator's wallet."""

    def __init__(self, client: ChainClient, sender: Sender, coordinator: NodeId) -> None:
        """Bind to a network and a wallet."""
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
