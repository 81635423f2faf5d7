"""How the demo ends: vouchers are redeemed, rewards claimed, and what everybody earned is counted to the wei."""

import asyncio
from collections.abc import Mapping, Sequence

from cuckoo.chain.contracts import TokenContract
from cuckoo.chain.escrow import EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.demo.accounts import Accounts, Earned
from cuckoo.demo.network import COORDINATOR, COORDINATOR_VOTER, MINERS, Founding, owner_of
from cuckoo.demo.show import Show
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import FatalError
from cuckoo.domain.identifiers import NodeId
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.redeeming import MinerEscrow, Redeeming, RedeemRules
from cuckoo.services.staking.wallet import Wallet
from cuckoo.storage.vouchers import StoredVoucher, Vouchers
from cuckoo.storage.writer import Reader

VOUCHERS_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.1


class Settlement:
    """Turns the vouchers of all miners into CAI, and claims everybody's rewards."""

    def __init__(self, client: ChainClient, founding: Founding, nodes: Mapping[str, NodeId]) -> None:
        """Take the network; ``nodes`` by name, the coordinator among them."""
        self._client = client
        self._founding = founding
        self._nodes = nodes
        self._escrow = EscrowContract(client)
        self._token = TokenContract(client)

    async def run(self, show: Show, total_wei: int) -> Accounts:
        """Redeem, claim, count.

        Args:
            show: tells what happens.
            total_wei: what all pictures cost.

        Raises:
            FatalError: the vouchers, or what was paid, do not add up to that.
        """
        vouchers = await self._vouchers(total_wei)
        for name, voucher in vouchers.items():
            show.say(f"  {name:<7} holds a voucher over {format_cai(voucher.cumulative_wei)} CAI")
        people = [owner_of(plan.name) for plan in MINERS] + [plan.voter for plan in MINERS if plan.voter]
        people += [owner_of(COORDINATOR), COORDINATOR_VOTER]
        before = await self._wallets(people)
        with show.stage("vouchers redeemed on chain, a tenth of them passed on to the miners' stakers"):
            await asyncio.gather(*(self._redeem(name) for name in vouchers))
        redeemed = await self._wallets(people)
        with show.stage("rewards claimed by everybody who staked"):
            await asyncio.gather(*(self._wallet(person).claim() for person in people))
        claimed = await self._wallets(people)
        paid_wei = Wei(sum([await self._paid(name) for name in vouchers]))
        owners_wei = sum(redeemed[person] - before[person] for person in people)
        if paid_wei != total_wei:
            raise FatalError(
                f"count the money: pictures cost {format_cai(total_wei)} CAI, {format_cai(paid_wei)} were paid"
            )
        return Accounts(
            vouchers={name: voucher.cumulative_wei for name, voucher in vouchers.items()},
            paid_wei=paid_wei,
            fees_wei=Wei(paid_wei - owners_wei),
            earned=[
                Earned(
                    who=person,
                    part=part_of_person(person),
                    pictures_wei=Wei(redeemed[person] - before[person]),
                    stake_wei=Wei(claimed[person] - redeemed[person]),
                )
                for person in people
            ],
        )

    async def _vouchers(self, total_wei: int) -> dict[str, StoredVoucher]:
        """Read the vouchers that the miners keep, once they are worth all the pictures."""
        found: dict[str, StoredVoucher] = {}
        try:
            async with asyncio.timeout(VOUCHERS_TIMEOUT_S):
                while sum(voucher.cumulative_wei for voucher in found.values()) < total_wei:
                    await asyncio.sleep(LOOK_EVERY_S)
                    found = await self._read_vouchers()
        except TimeoutError:
            held = format_cai(sum(voucher.cumulative_wei for voucher in found.values()))
            raise FatalError(
                f"count the money: pictures cost {format_cai(total_wei)} CAI, the vouchers hold {held}"
            ) from None
        return found

    async def _read_vouchers(self) -> dict[str, StoredVoucher]:
        found = {}
        for plan in MINERS:
            async with Reader(self._founding.miner_folder(self._nodes[plan.name])) as reader:
                voucher = await Vouchers(reader).best(self._nodes[COORDINATOR])
            if voucher is not None:
                found[plan.name] = voucher
        return found

    async def _redeem(self, name: str) -> None:
        escrow = MinerEscrow(self._client, self._founding.sender(name), self._nodes[name])
        async with Reader(self._founding.miner_folder(self._nodes[name])) as reader:
            rules = RedeemRules(at_wei=Wei(0))
            redeeming = Redeeming(Vouchers(reader), escrow, rules, interval_s=1.0, clock=SystemClock())
            if not await redeeming.look():
                raise FatalError(f"redeem the voucher of {name}: the chain did not take it")

    async def _paid(self, name: str) -> Wei:
        return (await self._escrow.account(self._nodes[COORDINATOR], self._nodes[name])).redeemed_wei

    def _wallet(self, person: str) -> Wallet:
        sender = self._founding.sender(person)
        return Wallet(self._client, sender.address, sender)

    async def _wallets(self, people: Sequence[str]) -> dict[str, int]:
        return {person: await self._token.balance(self._founding.sender(person).address) for person in people}


def part_of_person(person: str) -> str:
    """Say what somebody does in the demo."""
    for plan in MINERS:
        if person == owner_of(plan.name):
            return f"owns {plan.name}"
        if person == plan.voter:
            return f"voted for {plan.name}"
    return f"owns {COORDINATOR}" if person == owner_of(COORDINATOR) else f"voted for {COORDINATOR}"
