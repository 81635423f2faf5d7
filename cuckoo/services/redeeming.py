"""A miner turns its vouchers into CAI when that is worth the gas, and before a coordinator's withdrawal thaws."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from cuckoo.chain.escrow import EscrowAccount, EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import Wei, format_cai, format_gwei
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

    async def gas_price_wei(self) -> int:
        """Read what gas costs now, in wei of the native coin."""


def worth_wei(voucher: StoredVoucher, account: EscrowAccount) -> Wei:
    """Return what redeeming a voucher pays now: what it holds beyond what was paid, as far as the balance reaches."""
    return Wei(max(0, min(voucher.cumulative_wei - account.redeemed_wei, account.balance_wei)))


def in_danger(worth: Wei, account: EscrowAccount) -> bool:
    """Tell whether an announced withdrawal, once it is over, would leave less than a voucher is worth."""
    return account.thawing_wei > 0 and worth > account.balance_wei - account.thawing_wei


class RedeemRules(msgspec.Struct, frozen=True, kw_only=True):
    """When redeeming is worth the gas.

    Attributes:
        at_wei: what a voucher must be worth.
        max_gas_price_wei: no gas is bought above this price, wei of the native coin; 0 for any price.
        capped: tells whether work for a coordinator waits until it has paid; then any worth is enough.
    """

    at_wei: Wei
    max_gas_price_wei: int = 0
    capped: Callable[[NodeId], bool] = lambda _: False


class Redeeming:
    """Redeems until cancelled. What is interrupted is done at the next look: the chain says what was paid.

    Attributes:
        accounts: by coordinator whose voucher is kept, its account at the last look that got an answer.
    """

    def __init__(
        self, vouchers: VoucherReader, chain: RedeemOnChain, rules: RedeemRules, *, interval_s: float, clock: Clock
    ) -> None:
        """Take what it works with.

        Args:
            vouchers: the kept ones.
            chain: the escrow.
            rules: what is worth it; neither worth nor gas price count when funds thaw that a voucher needs.
            interval_s: how often it looks, in seconds.
            clock: time.
        """
        self.accounts: dict[NodeId, EscrowAccount] = {}
        self._vouchers = vouchers
        self._chain = chain
        self._rules = rules
        self._interval_s = interval_s
        self._clock = clock
        self._looking = asyncio.Lock()
        self._told: dict[NodeId, str] = {}

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
        async with self._looking:
            for voucher in await self._vouchers.all():
                node = voucher.coordinator_node
                try:
                    if await self._redeem(voucher, self._rules.at_wei if at_wei is None else at_wei):
                        paid.append(node)
                except FatalError:
                    raise
                except (TransientError, ConfigError) as error:
                    self._tell(node, "not redeemed yet", type(error).__name__, str(error))
                except CuckooError as error:
                    self._tell(node, "voucher refused by the chain", type(error).__name__, str(error))
        return paid

    def _tell(self, node: NodeId, event: str, kind: str, reason: str) -> None:
        """Say why nothing was redeemed, once for each kind of reason until something was."""
        if self._told.get(node) != kind:
            self._told[node] = kind
            log.warning(event, coordinator=node, reason=reason)

    async def _redeem(self, voucher: StoredVoucher, at_wei: Wei) -> bool:
        node = voucher.coordinator_node
        account = self.accounts[node] = await self._chain.account(node)
        worth = worth_wei(voucher, account)
        urgent, done = in_danger(worth, account), False
        if worth and (urgent or worth >= at_wei or self._rules.capped(node)):
            if not urgent and await self._gas_is_dear(node, "not redeemed yet"):
                return False
            account, done = await self._pay(voucher, account), True
        if account.fees_wei and account.fees_wei >= at_wei // 10:
            if await self._gas_is_dear(node, "fees not passed on yet"):
                return done
            await self._chain.pass_fees(node)
            log.info("fees passed to the stakers", cai=format_cai(account.fees_wei))
        self._told.pop(node, None)
        return done

    async def _pay(self, voucher: StoredVoucher, before: EscrowAccount) -> EscrowAccount:
        """Redeem a voucher; returns the account then. What was redeemed meanwhile is no failure.

        A redemption that a killed process had recorded, or that a reorganisation threw out, goes out again before any
        other transaction, and does the same.
        """
        node = voucher.coordinator_node
        try:
            await self._chain.redeem(voucher)
        except (FatalError, TransientError):
            raise
        except CuckooError:
            account = await self._chain.account(node)
            if account.redeemed_wei <= before.redeemed_wei:
                raise
        else:
            account = await self._chain.account(node)
        self.accounts[node] = account
        paid = format_cai(Wei(account.redeemed_wei - before.redeemed_wei))
        log.info("voucher redeemed", coordinator=node, cai=paid)
        return account

    async def _gas_is_dear(self, node: NodeId, event: str) -> bool:
        limit = self._rules.max_gas_price_wei
        if not limit or (price := await self._chain.gas_price_wei()) <= limit:
            return False
        reason = f"gas costs {format_gwei(price)} gwei, the limit is {format_gwei(limit)}"
        self._tell(node, event, "gas", reason)
        return True


class MinerEscrow:
    """The escrow as one miner sees it, through its operator's wallet."""

    def __init__(self, client: ChainClient, sender: Sender, miner: NodeId) -> None:
        """Bind to a network and a wallet."""
        self._client = client
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

    async def gas_price_wei(self) -> int:
        """Read what gas costs now."""
        return await self._client.gas_price_wei()

    async def native_wei(self) -> int:
        """Read what the operator's wallet has for gas."""
        return await self._client.native_balance(self._sender.address)
