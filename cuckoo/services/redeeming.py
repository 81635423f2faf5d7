"""A miner turns its vouchers into CAI when that is worth the gas, and before a coordinator's withdrawal thaws."""

from collections.abc import Sequence
from typing import Protocol

import structlog

from cuckoo.chain.escrow import EscrowAccount, EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import ConfigError, CuckooError, FatalError, TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.runtime.clock import Clock
from cuckoo.storage.vouchers import StoredVoucher

log = structlog.get_logger(__name__)


class VoucherReader(Protocol):
    """The kept vouchers."""

    async def all(self) -> list[StoredVoucher]:
        """Read the best voucher of every coordinator."""


class RedeemOnChain(Protocol):
    """What redeeming does on chain. All raise TransientError when the chain does not answer."""

    async def account(self, coordinator: NodeId) -> EscrowAccount:
        """Read what a coordinator holds ready for this miner."""

    async def redeem(self, voucher: StoredVoucher) -> None:
        """Redeem a voucher."""

    async def pass_fees(self, coordinator: NodeId) -> None:
        """Pass the stakers' part on to them."""


def worth_wei(voucher: StoredVoucher, account: EscrowAccount) -> Wei:
    """Return what redeeming a voucher pays now: what it holds beyond what was paid, as far as the balance reaches."""
    return Wei(max(0, min(voucher.cumulative_wei - account.redeemed_wei, account.balance_wei)))


class Redeeming:
    """Redeems until cancelled. What is interrupted is done at the next look: the chain says what was paid."""

    def __init__(
        self, vouchers: VoucherReader, chain: RedeemOnChain, *, at_wei: Wei, interval_s: float, clock: Clock
    ) -> None:
        """Take what it works with.

        Args:
            vouchers: the kept ones.
            chain: the escrow.
            at_wei: what a voucher must be worth to be redeemed; less is enough when funds thaw.
            interval_s: how often it looks, in seconds.
            clock: time.
        """
        self._vouchers = vouchers
        self._chain = chain
        self._at_wei = at_wei
        self._interval_s = interval_s
        self._clock = clock

    async def run(self) -> None:
        """Look, redeem, wait."""
        while True:
            await self._clock.sleep(self._interval_s)
            await self.look()

    async def look(self, *, at_wei: Wei | None = None) -> Sequence[NodeId]:
        """Redeem what is worth it now; returns the coordinators that paid.

        Args:
            at_wei: what is worth it, where it is not what was set.
        """
        paid = []
        for voucher in await self._vouchers.all():
            try:
                if await self._redeem(voucher, self._at_wei if at_wei is None else at_wei):
                    paid.append(voucher.coordinator_node)
            except FatalError:
                raise
            except (TransientError, ConfigError) as error:
                log.warning("not redeemed yet", coordinator=voucher.coordinator_node, reason=str(error))
            except CuckooError as error:
                log.warning("voucher refused by the chain", coordinator=voucher.coordinator_node, reason=str(error))
        return paid

    async def _redeem(self, voucher: StoredVoucher, at_wei: Wei) -> bool:
        account = await self._chain.account(voucher.coordinator_node)
        worth = worth_wei(voucher, account)
        done = False
        if worth and (worth >= at_wei or account.thawing_wei):
            await self._chain.redeem(voucher)
            log.info("voucher redeemed", coordinator=voucher.coordinator_node, cai=format_cai(worth))
            account, done = await self._chain.account(voucher.coordinator_node), True
        if account.fees_wei and account.fees_wei >= at_wei // 10:
            await self._chain.pass_fees(voucher.coordinator_node)
            log.info("fees passed to the stakers", cai=format_cai(account.fees_wei))
        return done


class MinerEscrow:
    """The escrow as one miner sees it, through its operator's wallet."""

    def __init__(self, client: ChainClient, sender: Sender, miner: NodeId) -> None:
        """Bind to a network and a wallet."""
        self._escrow = EscrowContract(client)
        self._sender = sender
        self._miner = miner

    async def account(self, coordinator: NodeId) -> EscrowAccount:
        """Read what a coordinator holds ready for this miner."""
        return await self._escrow.account(coordinator, self._miner)

    async def redeem(self, voucher: StoredVoucher) -> None:
        """Redeem a voucher."""
        await self._escrow.redeem(
            self._sender, voucher.coordinator_node, self._miner, voucher.cumulative_wei, voucher.signature
        )

    async def pass_fees(self, coordinator: NodeId) -> None:
        """Pass the stakers' part on to them."""
        await self._escrow.pass_fees(self._sender, coordinator, self._miner)
