"""The rules of stake, rewards, slashes and escrow, written down a second time and in another way: to the wei.

Amounts in wei, times in unix seconds. Where the contracts keep running sums per share, this keeps what each holder has
been given; both must come to the same, because every rounding is part of the rules (docs/contracts.md).
"""

from collections import defaultdict
from dataclasses import dataclass, field

CAI = 10**18
UNIT = 10**18
MINER, COORDINATOR = 0, 1
OWN, VOTES = 0, 1
MINIMUM = {MINER: 20_000 * CAI, COORDINATOR: 2_000_000 * CAI}
UNBONDING, BUCKET, FEE_STREAM, JAIL, THAW, WEEK = 240, 10, 60, 20, 30, 7 * 86_400


@dataclass
class Tranche:
    """Stake of one kind behind a node. ``earned`` is what one share has earned, in 10^-18 wei."""

    tokens: int = 0
    active: dict = field(default_factory=lambda: defaultdict(int))
    waiting: dict = field(default_factory=lambda: defaultdict(int))
    earned: int = 0
    seen: dict = field(default_factory=lambda: defaultdict(int))
    owed: dict = field(default_factory=lambda: defaultdict(int))

    @property
    def active_shares(self):
        return sum(self.active.values())

    @property
    def shares(self):
        return self.active_shares + sum(self.waiting.values())

    @property
    def active_tokens(self):
        return self.active_shares * self.tokens // self.shares if self.shares else 0

    def give(self, amount):
        """Share rewards among the active shares; returns what can not be expressed per share."""
        if not amount:
            return 0
        per_share = amount * UNIT // self.active_shares
        self.earned += per_share
        return amount - -(-per_share * self.active_shares // UNIT)

    def join(self, holder, shares):
        self.active[holder] += shares
        self.owed[holder] -= -(-shares * self.earned // UNIT)

    def part(self, holder, shares):
        self.active[holder] -= shares
        self.owed[holder] += shares * self.earned // UNIT

    def due(self, holder):
        return max(0, self.owed[holder] + self.active[holder] * self.earned // UNIT)

    def collect(self, holder):
        amount = self.due(holder)
        self.owed[holder] -= amount
        return amount


@dataclass
class Node:
    """A registered node."""

    role: int
    owner: str
    commission: int
    floor: int
    own: Tranche = field(default_factory=Tranche)
    votes: Tranche = field(default_factory=Tranche)
    weight: int = 0
    index: int = 0
    commission_owed: int = 0
    undivided: int = 0
    fees: int = 0
    fees_remaining_ns: int = 0
    fees_at: int = 0
    jailed_until: int = 0
    judged: tuple = (0, 0)

    def tranche(self, which):
        return self.own if which == OWN else self.votes


@dataclass
class Stream:
    """The reserve of a role."""

    reserve: int = 0
    rate: int = 0
    index: int = 0
    rest: int = 0
    at: int = 0


@dataclass
class Account:
    """What a coordinator holds ready for a miner."""

    balance: int = 0
    thawing: int = 0
    thawed_at: int = 0
    redeemed: int = 0
    fees: int = 0


class Rules:
    """A network as the rules say it is. Every method takes the time first and returns what is paid, where something is."""

    def __init__(self, wallets):
        self.wallet = defaultdict(int, wallets)
        self.idle = defaultdict(int)
        self.nodes = {}
        self.streams = {MINER: Stream(), COORDINATOR: Stream()}
        self.accounts = defaultdict(Account)
        self.burned = 0

    # Stake.

    def stake(self, _, who, amount):
        self.wallet[who] -= amount
        self.idle[who] += amount

    def unstake(self, _, who, amount):
        self.idle[who] -= amount
        self.wallet[who] += amount

    def register(self, now, who, role, amount, commission):
        number = len(self.nodes) + 1
        node = self.nodes[number] = Node(role, who, commission, MINIMUM[role])
        node.index = self._stream(now, role).index
        self._put(now, number, OWN, who, amount)
        return number

    def vote(self, now, who, number, which, amount):
        self._settle(now, number)
        self._put(now, number, which, who, amount)

    def _put(self, now, number, which, who, amount):
        tranche = self.nodes[number].tranche(which)
        shares = amount * tranche.shares // tranche.tokens if tranche.shares else amount
        self.idle[who] -= amount
        tranche.join(self._holder(which, who), shares)
        tranche.tokens += amount
        self._weigh(now, number)

    def unvote(self, now, who, number, which, shares):
        self._settle(now, number)
        tranche, holder = self.nodes[number].tranche(which), self._holder(which, who)
        tranche.part(holder, shares)
        bucket = -(-(now + UNBONDING) // BUCKET)
        tranche.waiting[holder, bucket] += shares
        self._weigh(now, number)
        return bucket

    def revote(self, now, who, number, which, shares, bucket):
        self._settle(now, number)
        tranche, holder = self.nodes[number].tranche(which), self._holder(which, who)
        tranche.waiting[holder, bucket] -= shares
        tranche.join(holder, shares)
        self._weigh(now, number)

    def release(self, _, who, number, which, bucket):
        tranche, holder = self.nodes[number].tranche(which), self._holder(which, who)
        shares = tranche.shares
        freed = tranche.waiting.pop((holder, bucket))
        amount = freed * tranche.tokens // shares
        tranche.tokens -= amount
        self.idle[self.nodes[number].owner if which == OWN else who] += amount
        return amount

    def unjail(self, now, number):
        self._settle(now, number)
        self.nodes[number].jailed_until = 0
        self._weigh(now, number)

    @staticmethod
    def _holder(which, who):
        return "the owner" if which == OWN else who

    # Rewards.

    def fund(self, now, who, amount):
        self.wallet[who] -= amount
        miners = amount * 60 // 100
        self._stream(now, MINER).reserve += miners
        self._stream(now, COORDINATOR).reserve += amount - miners

    def set_rate(self, now, rate):
        miners = rate * 60 // 100
        self._stream(now, MINER).rate = miners
        self._stream(now, COORDINATOR).rate = rate - miners

    def add_fees(self, now, who, number, amount):
        self.wallet[who] -= amount
        self._add_fees(now, number, amount)

    def _add_fees(self, now, number, amount):
        self._settle(now, number)
        node = self.nodes[number]
        work = node.fees * node.fees_remaining_ns + amount * FEE_STREAM * 10**9
        node.fees += amount
        node.fees_remaining_ns = -(-work // node.fees)
        node.fees_at = now

    def claim(self, now, who, number, which):
        self._settle(now, number)
        node = self.nodes[number]
        amount = node.tranche(which).collect(self._holder(which, who))
        if which == OWN:
            amount += node.commission_owed
            node.commission_owed = 0
        self.wallet[who] += amount
        return amount

    def _total_weight(self, role):
        return sum(node.weight for node in self.nodes.values() if node.role == role)

    def _stream(self, now, role):
        stream, total = self.streams[role], self._total_weight(role)
        elapsed, stream.at = now - stream.at, now
        if elapsed and total and stream.reserve:
            streamed = min(stream.rate * elapsed, stream.reserve)
            stream.reserve -= streamed
            gained, stream.rest = divmod(streamed * UNIT + stream.rest, total)
            stream.index += gained
        return stream

    def _settle(self, now, number):
        node = self.nodes[number]
        stream = self._stream(now, node.role)
        earned = node.weight * (stream.index - node.index) // UNIT
        node.index = stream.index
        own, votes = (part if part >= CAI else 0 for part in (node.own.active_tokens, node.votes.active_tokens))
        if not own + votes:
            if node.fees:
                node.fees_at = now
        elif node.fees:
            passed = (now - node.fees_at) * 10**9
            over = passed >= node.fees_remaining_ns
            due = node.fees if over else node.fees * passed // node.fees_remaining_ns
            node.fees -= due
            node.fees_remaining_ns = 0 if over else node.fees_remaining_ns - passed
            node.fees_at = now
            earned += due
        if earned:
            commission = earned * node.commission // 10_000
            node.commission_owed += commission
            pool = node.undivided + earned - commission
            part = pool * own // (own + votes)
            node.undivided = node.own.give(part) + node.votes.give(pool - part)

    def _weigh(self, _, number):
        node = self.nodes[number]
        own, votes = node.own.active_tokens, node.votes.active_tokens
        if own >= MINIMUM[node.role]:
            node.floor = MINIMUM[node.role]
        eligible = not node.jailed_until and own >= node.floor
        node.weight = min(own + votes, 10 * own) if eligible else 0

    # Slashes.

    def slash(self, now, number, *, equivocation, payout):
        """Return what the own tranche lost and what was paid out."""
        self._settle(now, number)
        node, own, votes = self.nodes[number], 0, 0
        if equivocation:
            own = node.own.tokens // 2
        elif now >= node.judged[0] + WEEK:
            own = node.own.tokens // 20
            votes = min(node.votes.tokens // 20, 10 * own)
            node.judged = (node.judged[1], now)
        paid = min(payout, own // 2)
        node.jailed_until = max(node.jailed_until, now + JAIL)
        self._lose(now, number, own, votes)
        self.burned += own + votes - paid
        return own, paid

    def penalise(self, now, number, amount):
        self._settle(now, number)
        lost = min(amount, self.nodes[number].own.tokens // 20)
        self._lose(now, number, lost, 0)
        self.burned += lost

    def _lose(self, now, number, own, votes):
        node = self.nodes[number]
        node.own.tokens -= own
        node.votes.tokens -= votes
        node.floor = min(node.floor, max(MINIMUM[node.role] * 9 // 10, node.own.active_tokens))
        self._weigh(now, number)

    # Escrow.

    def deposit(self, _, who, pair, amount):
        self.wallet[who] -= amount
        self.accounts[pair].balance += amount

    def thaw(self, now, pair, amount):
        account = self.accounts[pair]
        account.thawing += amount
        account.thawed_at = now + THAW

    def withdraw_thawed(self, _, pair):
        account = self.accounts[pair]
        amount, account.thawing = account.thawing, 0
        account.balance -= amount
        self.wallet[self.nodes[pair[0]].owner] += amount
        return amount

    def redeem(self, _, pair, cumulative):
        account = self.accounts[pair]
        amount = min(cumulative - account.redeemed, account.balance)
        fees = amount * 10 // 100
        account.redeemed += amount
        account.balance -= amount
        account.thawing = min(account.thawing, account.balance)
        account.fees += fees
        self.wallet[self.nodes[pair[1]].owner] += amount - fees
        return amount

    def pass_fees(self, now, pair):
        amount, self.accounts[pair].fees = self.accounts[pair].fees, 0
        self._add_fees(now, pair[1], amount)
        return amount

    # Disputes. ``seats`` are those that said what came out in the end.

    def convicted(self, now, miner, *, accusers, accused, seats, fee):
        """End a dispute with a conviction.

        Args:
            now: the time.
            miner: the node.
            accusers: (account, bond) of the accuser's side, in wei.
            accused: bond of the accused's side, in wei.
            seats: that said so.
            fee: of a seat, in wei.

        Returns:
            What the accuser's side gets back, and what a seat is paid.
        """
        due = seats * fee
        from_loser = min(due, accused)
        _, from_stake = self.slash(now, miner, equivocation=False, payout=due - from_loser)
        from_winner = min(due - from_loser - from_stake, accusers)
        each, rest = divmod(from_loser + from_stake + from_winner, seats)
        self.burned += accused - from_loser + rest
        return accusers - from_winner, each

    def acquitted(self, _, *, accusers, seats, fee):
        """End a dispute with an acquittal; returns what a seat is paid. The other side gets its bond back."""
        pot = min(seats * fee, accusers)
        each, rest = divmod(pot, seats)
        self.burned += accusers - pot + rest
        return each
