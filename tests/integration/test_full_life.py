"""A whole life on a real chain, compared to the wei with an independent model of the rules."""

import asyncio

import pytest
import pytest_asyncio
from eth_abi import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.devnet import running_devnet
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.keccak import keccak256
from cuckoo.protocol.eip712 import hash_voucher
from cuckoo.services.staking.history import History
from cuckoo.storage.chronicle import Chronicle
from tests.support.rules import BUCKET, CAI, COORDINATOR, MINER, OWN, UNBONDING, VOTES, Rules
from tests.support.town_chain import TownChain

FEE = 5 * CAI
BOND, APPEAL_BOND = 2 * 21 * FEE, 2 * 43 * FEE
GUILTY, NOT_GUILTY = 1, 2
SALT, DIGEST = b"\1" * 32, b"\2" * 32
START = 10_000_000 * CAI
ROUNDING = CAI // 10**6


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory):
    async with running_devnet(0, tmp_path_factory.mktemp("life") / "network.json") as devnet:
        yield devnet.network


class Life:
    """Everything is done twice: on the chain, and in the model."""

    def __init__(self, network):
        self.chain = chain = TownChain(network)
        self.people = [chain.person(START) for _ in range(6)]
        self.rules = Rules(dict.fromkeys(self.people, START))
        for role in (MINER, COORDINATOR):
            _, rate, reserve = chain.staking.functions.roleOf(role).call()
            self.rules.streams[role].rate, self.rules.streams[role].reserve = rate, reserve
        self.supply = chain.token.functions.totalSupply().call()
        self.pairs, self.buckets = set(), set()
        self.chronicle = Chronicle(None)

    def stake(self, who, amount):
        _, now = self.chain.send(who, self.chain.staking.functions.stake(amount))
        self.rules.stake(now, who, amount)

    def register(self, who, role, amount, commission=1_000):
        wanted = self.chain.registration(who, role, amount, commission)
        _, now = self.chain.send(who, self.chain.staking.functions.register(wanted))
        return self.rules.register(now, who, role, amount, commission)

    def vote(self, who, node, which, amount):
        _, now = self.chain.send(who, self.chain.staking.functions.vote(node, which, amount, 0))
        self.rules.vote(now, who, node, which, amount)

    def unvote(self, who, node, which, shares):
        _, now = self.chain.send(who, self.chain.staking.functions.unvote(node, which, shares))
        self.buckets.add((who, node, which, self.rules.unvote(now, who, node, which, shares)))

    def revote(self, place, shares):
        who, node, which, bucket = place
        _, now = self.chain.send(who, self.chain.staking.functions.revote(node, which, shares, bucket))
        self.rules.revote(now, who, node, which, shares, bucket)

    def release(self, place):
        who, node, which, bucket = place
        self.chain.pass_time(max(1, bucket * BUCKET - self.chain.now))
        _, now = self.chain.send(self.people[0], self.chain.staking.functions.release(node, which, who, bucket))
        self.rules.release(now, who, node, which, bucket)
        self.buckets.discard(place)

    def waiting(self, place):
        who, node, which, bucket = place
        return self.rules.nodes[node].tranche(which).waiting[self.rules._holder(which, who), bucket]

    def claim(self, who, node, which):
        _, now = self.chain.send(who, self.chain.staking.functions.claim(node, which))
        return self.rules.claim(now, who, node, which)

    def add_fees(self, who, node, amount):
        _, now = self.chain.send(who, self.chain.staking.functions.addFees(node, amount))
        self.rules.add_fees(now, who, node, amount)

    def fund(self, who, amount):
        _, now = self.chain.send(who, self.chain.staking.functions.fundReserve(amount))
        self.rules.fund(now, who, amount)

    def unjail(self, node):
        self.chain.pass_time(max(1, self.rules.nodes[node].jailed_until - self.chain.now))
        _, now = self.chain.send(self.rules.nodes[node].owner, self.chain.staking.functions.unjail(node))
        self.rules.unjail(now, node)

    def deposit(self, who, pair, amount):
        _, now = self.chain.send(who, self.chain.escrow.functions.deposit(*pair, amount))
        self.rules.deposit(now, who, pair, amount)
        self.pairs.add(pair)

    def thaw(self, pair, amount):
        _, now = self.chain.send(self.rules.nodes[pair[0]].owner, self.chain.escrow.functions.thaw(*pair, amount))
        self.rules.thaw(now, pair, amount)

    def withdraw_thawed(self, pair):
        self.chain.pass_time(max(1, self.rules.accounts[pair].thawed_at - self.chain.now))
        _, now = self.chain.send(self.people[0], self.chain.escrow.functions.withdrawThawed(*pair))
        self.rules.withdraw_thawed(now, pair)

    def redeem(self, pair, cumulative):
        signature = self.chain.sign(pair[0], hash_voucher(*pair, cumulative))
        _, now = self.chain.send(self.people[0], self.chain.escrow.functions.redeem((*pair, cumulative), signature))
        return self.rules.redeem(now, pair, cumulative)

    def pass_fees(self, pair):
        _, now = self.chain.send(self.people[0], self.chain.escrow.functions.passFees(*pair))
        self.rules.pass_fees(now, pair)

    def compare(self):
        """Compare every balance on the chain with the model's, to the wei."""
        chain, rules = self.chain, self.rules
        staking = chain.staking.functions
        for who in self.people:
            assert chain.token.functions.balanceOf(who).call() == rules.wallet[who], "wallet"
            assert staking.idleStake(who).call() == rules.idle[who], "idle stake"
        for number, node in rules.nodes.items():
            row = staking.nodeOf(number).call()
            for view, tranche in ((row[8], node.own), (row[9], node.votes)):
                assert view[:4] == (tranche.tokens, tranche.shares, tranche.active_shares, tranche.active_tokens)
            assert (row[6], row[7]) == (node.weight, node.floor), f"weight and floor of node {number}"
            assert row[14] == node.jailed_until
        for role in (MINER, COORDINATOR):
            assert staking.roleOf(role).call()[0] == rules._total_weight(role)
        for place in self.buckets:
            who, node, which, bucket = place
            assert staking.unbondingShares(node, which, who, bucket).call() == self.waiting(place)
        for pair in self.pairs:
            account = rules.accounts[pair]
            balance, thawing, _, redeemed, fees = chain.escrow.functions.account(*pair).call()
            assert (balance, thawing, redeemed, fees) == (
                account.balance,
                account.thawing,
                account.redeemed,
                account.fees,
            )
        assert chain.token.functions.totalSupply().call() == self.supply - rules.burned
        asyncio.run(self._compare_income())

    async def _compare_income(self):
        """Compare what events alone say was earned with what the contract has paid and owes."""
        async with await ChainClient.connect(self.chain.network) as client:
            history, staking = History(client, self.chronicle), StakingContract(client)
            block = (await history.advance()).block
            for who in self.people:
                _, earned = await history.earnings(who, 366)
                paid = sum(one.arguments["amount"] for one in await history.claims(who, 366))
                owed = 0
                for number, node in self.rules.nodes.items():
                    for which in (OWN, VOTES):
                        if which == VOTES or node.owner == who:
                            owed += await staking.claimable(number, which, who, block)
                total = sum(one.amount_wei for one in earned)
                assert abs(total - paid - owed) < ROUNDING, (who, total, paid, owed)

    def claim_everything(self):
        for number, node in self.rules.nodes.items():
            self.claim(node.owner, number, OWN)
            for who in self.people:
                if node.votes.active[who] or node.votes.due(who):
                    self.claim(who, number, VOTES)


class Court:
    """One dispute, on the chain and in the model."""

    def __init__(self, life, coordinator, miner):
        self.life, self.coordinator, self.miner = life, coordinator, miner
        self.chain, self.disputes = life.chain, life.chain.disputes.functions
        self.coherent, self.wrong = {}, []

    def open(self, who):
        deadline = self.chain.now
        assignment = (
            self.coordinator,
            self.miner,
            b"\3" * 16,
            1,
            7,
            b"\4" * 32,
            CAI,
            deadline,
            b"\5" * 32,
            0,
            b"\6" * 32,
            1,
        )
        assignment_hash = _hash_assignment(assignment)
        receipt = (assignment_hash, [b"\7" * 32], b"\10" * 32, ("cpu", "float32", "2", "sdpa", 1, "AVX2", 1), deadline)
        signed = (assignment, self.chain.sign(self.coordinator, assignment_hash))
        result = (receipt, self.chain.sign(self.miner, _hash_receipt(receipt)))
        self.chain.send(who, self.disputes.open(signed, result))
        self.life.rules.wallet[who] -= BOND
        self.id = self.disputes.disputeCount().call()

    def judge(self, verdicts):
        """Let the nodes in ``verdicts`` claim, commit and reveal; returns their seats."""
        index = self.disputes.disputeOf(self.id).call()[7] - 1
        for _ in range(3):
            self.chain.rpc("evm_mine")
        operators, seats = self.chain.operators, {}
        self.chain.send(self.life.people[0], self.disputes.drawSeed(self.id))
        for node in verdicts:
            seats[node] = self.disputes.seatsOf(self.id, node).call()
            assert seats[node] == self.lottery(index, node)
            if seats[node]:
                self.chain.send(operators[node].address, self.disputes.claimSeats(self.id, node))
        self.until()
        seated = {node: verdict for node, verdict in verdicts.items() if seats[node]}
        for node, verdict in seated.items():
            commitment = keccak256(
                encode(
                    ["uint256", "uint256", "uint32", "uint8", "bytes32", "bytes32"],
                    [self.id, index, node, verdict, DIGEST, SALT],
                )
            )
            self.chain.send(operators[node].address, self.disputes.commit(self.id, node, commitment))
        self.until()
        for node, verdict in seated.items():
            self.chain.send(self.life.people[0], self.disputes.reveal(self.id, node, verdict, DIGEST, SALT))
        self.until()
        return {(index, node): (verdict, seats[node]) for node, verdict in seated.items()}

    def lottery(self, index, node):
        """Seats of a node, computed apart from the contract."""
        _, epoch, weight, wanted, *_, seed = self.disputes.roundOf(self.id, index).call()
        mine = self.chain.staking.functions.nodeWeightAt(node, epoch).call()
        count, rest = divmod(wanted * mine, weight)
        draw = int.from_bytes(
            keccak256(encode(["bytes32", "uint256", "uint256", "uint32"], [seed, self.id, index, node])), "big"
        )
        return count + (draw < (2**256 - 1) * rest // weight)

    def until(self):
        ends = self.disputes.disputeOf(self.id).call()[9]
        self.chain.pass_time(max(1, ends - self.chain.now))

    def appeal(self, who):
        self.chain.send(who, self.disputes.appeal(self.id))
        self.life.rules.wallet[who] -= APPEAL_BOND

    def execute(self):
        return self.chain.send(self.life.people[0], self.disputes.execute(self.id))[1]

    def settle(self, spoken, right, each):
        rules = self.life.rules
        for (index, node), (verdict, seats) in spoken.items():
            _, now = self.chain.send(self.life.people[0], self.disputes.settleJuror(self.id, index, node))
            if verdict == right:
                rules.wallet[rules.nodes[node].owner] += seats * each
            else:
                rules.penalise(now, node, 2 * seats * FEE)

    def withdraw(self, who, amount):
        self.chain.send(who, self.disputes.withdraw())
        self.life.rules.wallet[who] += amount


def _hash_assignment(fields):
    from cuckoo.protocol import eip712

    kinds = ["bytes32", "uint32", "uint32", "bytes16", "uint16", "uint64", "bytes32", "uint256", "uint64"]
    kinds += ["bytes32", "uint64", "bytes32", "uint64"]
    return keccak256(encode(kinds, [keccak256(eip712.ASSIGNMENT.encode()), *fields]))


def _hash_receipt(fields):
    from cuckoo.protocol import eip712

    assignment_hash, pictures, root, profile, finished_at = fields
    texts = [keccak256(part.encode()) if isinstance(part, str) else part for part in profile]
    kinds = ["bytes32", "bytes32", "bytes32", "bytes32", "bytes32", "uint16", "bytes32", "uint16"]
    hashed = keccak256(encode(kinds, [keccak256(eip712.RUNTIME_PROFILE.encode()), *texts]))
    kinds = ["bytes32", "bytes32", "bytes32", "bytes32", "bytes32", "uint64"]
    values = [keccak256(eip712.RECEIPT.encode()), assignment_hash, keccak256(b"".join(pictures)), root, hashed]
    return keccak256(encode(kinds, [*values, finished_at]))


@pytest.fixture(scope="module")
def life(network):
    return Life(network)


def test_full_life__to_the_wei(life):
    nest, rig, voter, first, second, third = life.people
    for who in life.people:
        life.stake(who, 5_000_000 * CAI)
    coordinator = life.register(nest, COORDINATOR, 2_000_000 * CAI)
    miner = life.register(rig, MINER, 20_000 * CAI)
    jurors = [life.register(who, MINER, 100_000 * CAI) for who in (first, second, third)]
    life.vote(voter, miner, VOTES, 33_333 * CAI + 1)
    life.vote(voter, coordinator, VOTES, 1_000_000 * CAI)
    life.compare()

    # Earn: emission and fees; pay and redeem.
    life.fund(voter, 777 * CAI + 7)
    life.add_fees(nest, miner, 100 * CAI + 3)
    life.deposit(nest, (coordinator, miner), 50 * CAI)
    life.redeem((coordinator, miner), 12 * CAI + 5)
    life.pass_fees((coordinator, miner))
    life.chain.pass_time(61)
    assert life.claim(voter, miner, VOTES) > 0
    assert life.claim(rig, miner, OWN) > 0
    life.compare()

    # Accuse, judge, appeal: the second jury overrules the first.
    court = Court(life, coordinator, miner)
    court.open(nest)
    spoken = court.judge(dict.fromkeys(jurors, NOT_GUILTY))
    court.appeal(nest)
    spoken |= court.judge(dict.fromkeys(jurors, GUILTY))
    now = court.execute()
    seats = sum(count for verdict, count in spoken.values() if verdict == GUILTY)
    back, each = life.rules.convicted(now, miner, accusers=BOND + APPEAL_BOND, accused=0, seats=seats, fee=FEE)
    court.settle(spoken, GUILTY, each)
    court.withdraw(nest, back)
    life.compare()
    assert life.rules.nodes[miner].own.tokens == 19_000 * CAI

    # Back from jail, then everybody leaves.
    life.unjail(miner)
    life.thaw((coordinator, miner), 30 * CAI)
    life.withdraw_thawed((coordinator, miner))
    life.claim_everything()
    for number, node in list(life.rules.nodes.items()):
        for which in (OWN, VOTES):
            for holder, shares in list(node.tranche(which).active.items()):
                if shares:
                    life.unvote(node.owner if which == OWN else holder, number, which, shares)
    for place in sorted(life.buckets):
        life.release(place)
    life.compare()
    for who in life.people:
        amount = life.rules.idle[who]
        _, now = life.chain.send(who, life.chain.staking.functions.unstake(amount))
        life.rules.unstake(now, who, amount)
    life.compare()


@pytest.fixture(scope="module")
def settled(life):
    """The same people again, with nodes, before anything happens; and the snapshot to go back to."""
    for who in life.people:
        life.stake(who, 3_000_000 * CAI)
    nodes = [life.register(life.people[0], COORDINATOR, 2_000_000 * CAI)]
    nodes += [life.register(who, MINER, 20_000 * CAI, 700) for who in life.people[1:4]]
    return life, nodes


STEP = st.tuples(st.integers(0, 10), st.integers(0, 5), st.integers(0, 3), st.integers(1, 10**9))


@given(steps=st.lists(STEP, min_size=8, max_size=25))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_sequence__to_the_wei(settled, steps):
    # Each example goes on where the last one ended: the state only becomes richer.
    life, nodes = settled
    for what, who, which_node, size in steps:
        step(life, life.people[who], nodes[which_node], what, size)
    life.claim_everything()
    life.compare()


def step(life, who, number, what, size):
    """Do one thing, if it can be done."""
    node = life.rules.nodes[number]
    which = OWN if node.owner == who else VOTES
    pair = (next(one for one in life.rules.nodes if life.rules.nodes[one].role == COORDINATOR and one > 1), number)
    amount = CAI + size * 10**13
    held = node.tranche(which).active[life.rules._holder(which, who)]
    places = sorted(place for place in life.buckets if life.waiting(place))
    account = life.rules.accounts[pair]
    if what == 0 and life.rules.idle[who] >= amount:
        life.vote(who, number, which, amount)
    elif what == 1 and held:
        life.unvote(who, number, which, 1 + size * held // 10**9 % held)
    elif what == 2 and places:
        place = places[size % len(places)]
        life.revote(place, 1 + size % life.waiting(place))
    elif what == 3 and places:
        life.release(places[size % len(places)])
    elif what == 4:
        life.add_fees(who, number, size * 10**11 + 1)
    elif what == 5:
        life.fund(who, size * 10**10 + 2)
    elif what == 6:
        life.claim(who, number, which)
    elif what == 7 and node.role == MINER:
        life.deposit(who, pair, size * 10**10 + 1)
    elif what == 8 and node.role == MINER and account.balance:
        life.redeem(pair, account.redeemed + size)
    elif what == 9 and account.fees:
        life.pass_fees(pair)
    elif what == 10:
        life.chain.pass_time(1 + size % 20)


def test_model__its_periods__are_the_devnets(network):
    parameters = network.parameters
    assert (parameters.unbonding, parameters.release_bucket) == (UNBONDING, BUCKET)
