"""When a miner redeems: what is worth it, what thaws, and what the chain says was paid already."""

import asyncio

import pytest
import structlog

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ChainUnreachable
from cuckoo.domain.identifiers import NodeId
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.redeeming import Redeeming, RedeemRules
from cuckoo.storage.vouchers import StoredVoucher
from tests.support.mining import Clock


class Chain:
    """An escrow that pays as the contract does."""

    def __init__(self):
        self.accounts = {}
        self.redeemed = []
        self.passed = []
        self.error = None
        self.gas_price = 10**9

    async def gas_price_wei(self):
        return self.gas_price

    def put(self, coordinator, balance=0, thawing=0, redeemed=0, fees=0):
        self.accounts[NodeId(coordinator)] = EscrowAccount(
            balance_wei=Wei(balance),
            thawing_wei=Wei(thawing),
            thawed_at=0,
            redeemed_wei=Wei(redeemed),
            fees_wei=Wei(fees),
        )

    async def account(self, coordinator):
        if self.error:
            raise self.error
        return self.accounts[coordinator]

    async def redeem(self, voucher):
        before = self.accounts[voucher.coordinator_node]
        amount = min(voucher.cumulative_wei - before.redeemed_wei, before.balance_wei)
        self.redeemed.append((voucher.coordinator_node, amount))
        self.put(
            voucher.coordinator_node,
            balance=before.balance_wei - amount,
            redeemed=before.redeemed_wei + amount,
            fees=before.fees_wei + amount // 10,
        )

    async def pass_fees(self, coordinator):
        self.passed.append((coordinator, self.accounts[coordinator].fees_wei))
        self.accounts[coordinator] = EscrowAccount(
            balance_wei=self.accounts[coordinator].balance_wei,
            thawing_wei=Wei(0),
            thawed_at=0,
            redeemed_wei=self.accounts[coordinator].redeemed_wei,
            fees_wei=Wei(0),
        )


class Kept:
    def __init__(self, *cumulatives):
        self.vouchers = [
            StoredVoucher(
                coordinator_node=NodeId(number), cumulative_wei=Wei(wei), signature=bytes(65), received_at=0.0
            )
            for number, wei in enumerate(cumulatives, 1)
        ]

    async def all(self):
        return self.vouchers


def redeeming(chain, *cumulatives, at=CAI, **rules):
    rules = RedeemRules(at_wei=Wei(at), **rules)
    return Redeeming(Kept(*cumulatives), chain, rules, interval_s=1.0, clock=SystemClock())


@pytest.fixture
def chain():
    return Chain()


async def test_voucher__worth_it__redeemed_once_and_the_stakers_part_passed_on(chain):
    chain.put(1, balance=10 * CAI)
    miner = redeeming(chain, 3 * CAI)
    assert await miner.look() == [1]
    assert await miner.look() == []
    assert chain.redeemed == [(1, 3 * CAI)]
    assert chain.passed == [(1, 3 * CAI // 10)]


@pytest.mark.parametrize(
    ("account", "pays"),
    [
        ({"balance": 10 * CAI, "redeemed": 3 * CAI - 5}, []),
        ({"balance": 10 * CAI, "redeemed": 9 * CAI}, []),
        ({"balance": CAI - 1}, []),
        ({"balance": 0}, []),
        ({"balance": 10 * CAI, "redeemed": 2 * CAI}, [1]),
        ({"balance": 5, "thawing": 5}, [1]),
        ({"balance": 10 * CAI, "redeemed": 3 * CAI - 5, "thawing": 10 * CAI - 5}, []),
        ({"balance": 10 * CAI, "redeemed": 3 * CAI - 5, "thawing": 10 * CAI - 4}, [1]),
    ],
    ids=[
        "not worth the gas",
        "paid already",
        "nearly empty",
        "empty",
        "worth it",
        "funds thaw",
        "enough stays when they are gone",
        "one wei less stays",
    ],
)
async def test_voucher__redeemed__only_when(chain, account, pays):
    chain.put(1, **account)
    assert await redeeming(chain, 3 * CAI).look() == pays


@pytest.mark.parametrize(("limit", "pays"), [(0, [1]), (10**9, [1]), (10**9 - 1, [])])
async def test_gas__dearer_than_the_limit__waits(chain, limit, pays):
    chain.put(1, balance=10 * CAI)
    assert await redeeming(chain, 3 * CAI, max_gas_price_wei=limit).look() == pays


async def test_gas__spike__said_once_and_redeemed_when_it_is_over(chain):
    chain.put(1, balance=10 * CAI)
    miner = redeeming(chain, 3 * CAI, max_gas_price_wei=2 * 10**9)
    chain.gas_price = 50 * 10**9
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            assert await miner.look() == []
    assert [entry["reason"] for entry in logs] == ["gas costs 50 gwei, the limit is 2"]
    chain.gas_price = 2 * 10**9
    assert await miner.look() == [1]


async def test_gas__dear_while_funds_thaw__redeems_anyway_and_lets_the_fees_wait(chain):
    chain.put(1, balance=3 * CAI, thawing=CAI)
    chain.gas_price = 50 * 10**9
    assert await redeeming(chain, 3 * CAI, max_gas_price_wei=1).look() == [1]
    assert chain.passed == []


async def test_voucher__small_while_work_waits_for_it__is_redeemed(chain):
    chain.put(1, balance=10 * CAI)
    chain.put(2, balance=10 * CAI)
    assert await redeeming(chain, CAI // 2, CAI // 2, capped=lambda node: node == 2).look() == [2]


async def test_chain__down_for_an_hour__said_once_and_everything_paid_afterwards(chain):
    clock = Clock()
    chain.put(1, balance=10 * CAI)
    rules = RedeemRules(at_wei=CAI)
    miner = Redeeming(Kept(3 * CAI), chain, rules, interval_s=30.0, clock=clock)
    running = asyncio.create_task(miner.run())
    chain.error = ChainUnreachable("no answer")
    with structlog.testing.capture_logs() as logs:
        await clock.pass_(0)
        await clock.pass_(3_600)
        assert [entry["event"] for entry in logs] == ["not redeemed yet"]
        chain.error = None
        await clock.pass_(30)
    assert chain.redeemed == [(1, 3 * CAI)]
    assert not running.done()
    running.cancel()


async def test_look__twice_at_once__redeems_once(chain):
    chain.put(1, balance=10 * CAI)
    miner = redeeming(chain, 3 * CAI)
    await asyncio.gather(miner.look(), miner.look())
    assert chain.redeemed == [(1, 3 * CAI)]


async def test_look__asked_for_everything__takes_the_smallest_too(chain):
    chain.put(1, balance=7)
    assert await redeeming(chain, 7).look(at_wei=Wei(1)) == [1]


async def test_chain__does_not_answer__tried_again_at_the_next_look(chain):
    chain.put(1, balance=10 * CAI)
    miner = redeeming(chain, 3 * CAI)
    chain.error = ChainUnreachable("no answer")
    assert await miner.look() == []
    chain.error = None
    assert await miner.look() == [1]
