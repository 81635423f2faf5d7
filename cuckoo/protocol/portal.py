"""What the staking portal shows. Amounts are decimal CAI, percentages decimal text, times unix seconds.

Everything is a fact of the chain, true at the block that ``at`` names; names and introductions are nodes' own words.
"""

import msgspec

from cuckoo.domain.identifiers import Address, NodeId


class At(msgspec.Struct, frozen=True, kw_only=True):
    """The block that an answer is true at."""

    block: int
    time: int
    hash: bytes


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Which network this is, and who signs.

    Attributes:
        contracts: addresses by name; no faucet on the main network.
        parameters: seconds, percentages and CAI that rules have, by name.
        signing: "wallet": a wallet in the browser; "key": this program, with the key of ``address``.
        csrf: what a page shows when it asks this program to sign.
    """

    at: At
    network: str
    chain_id: int
    rpc_url: str
    test_network: bool
    contracts: dict[str, Address]
    parameters: dict[str, str]
    signing: str
    address: Address | None
    csrf: str | None


class NodeClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What coordinators say about a miner; nothing of it is checked by the chain.

    Attributes:
        as_of: when it was said last, unix seconds.
        success_percent: of the attempts that ended; None before the first.
        speed: megapixel-steps a second, lately; None while nobody knows.
        device: the miner's own word, as a coordinator tells it.
        audits_passed, audits_failed: results that others made again.
        drawn: how often it was drawn; odds_sum: how often that was to be expected; odds_variance: of that.
    """

    as_of: int
    tasks_done: int
    success_percent: str | None
    speed: float | None
    device: str
    audits_passed: int
    audits_failed: int
    drawn: int
    odds_sum: float
    odds_variance: float


class NodeClaimsBy(msgspec.Struct, frozen=True, kw_only=True):
    """What one coordinator says about a miner."""

    coordinator: NodeId
    claims: NodeClaims


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A node in a list.

    Attributes:
        name: its own word for itself.
        commission_rising: what it will be, and from when; None when nothing was announced.
        yield_percent: a year, for voters, after commission: emission at the present weights, and fees as in the last 30
            days; None without weight.
        fees_percent: how much of that is fees.
        slashes: how often it was convicted.
        claims: what coordinators say about a miner; None where none does.
    """

    node_id: NodeId
    role: str
    name: str
    owner: Address
    operator: Address
    weight_cai: str
    own_cai: str
    votes_cai: str
    commission_percent: str
    max_commission_percent: str
    commission_rising: dict[str, str] | None
    yield_percent: str | None
    fees_percent: str | None
    jailed_until: int
    eligible: bool
    slashes: int
    claims: NodeClaims | None


class NodePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some nodes of a list; ``total``: how many there are in it."""

    at: At
    total: int
    nodes: tuple[NodeRow, ...]


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a node; ``numbers``: as the contract's event has them, CAI where they are amounts."""

    kind: str
    block: int
    time: int
    transaction: str
    numbers: dict[str, str]


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A node, what it says about itself, and what happened to it, the newest first.

    ``payee``: who receives its income, None where that is its owner; ``pending_owner``: to whom it is offered.
    """

    at: At
    node: NodeRow
    introduction: dict[str, str]
    links: tuple[str, ...]
    unbonding_own_cai: str
    unbonding_votes_cai: str
    floor_cai: str
    payee: Address | None
    pending_owner: Address | None
    claims_by: tuple[NodeClaimsBy, ...]
    events: tuple[EventRow, ...]


class StakeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's stake behind a node.

    Attributes:
        yearly_percent: what it earned in the last 30 days (or since ``since``), as of a year; None without time.
        warnings: kinds: commission_rising, slashed, jailed, weightless.
    """

    node_id: NodeId
    name: str
    role: str
    tranche: str
    active_cai: str
    rewards_cai: str
    yearly_percent: str | None
    since: int
    warnings: tuple[str, ...]


class UnbondingRow(msgspec.Struct, frozen=True, kw_only=True):
    """Stake on its way out of a node."""

    node_id: NodeId
    tranche: str
    bucket: int
    amount_cai: str
    free_at: int
    free: bool


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """All that a wallet has."""

    at: At
    staker: Address
    native: str
    wallet_cai: str
    idle_cai: str
    rewards_cai: str
    stakes: tuple[StakeRow, ...]
    unbonding: tuple[UnbondingRow, ...]
    owned: tuple[NodeId, ...]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The network in numbers, by role: nodes, those that carry weight, weight, emission a day, what is left of it.

    ``paid_cai_by_day``: what coordinators paid to miners on each of the last days (UTC), the oldest first.
    ``claimed_tasks``, ``claimed_pictures``, ``claimed_draws``: how many coordinators say that there were.
    """

    at: At
    nodes: dict[str, int]
    eligible: dict[str, int]
    weight_cai: dict[str, str]
    emission_per_day_cai: dict[str, str]
    reserve_cai: dict[str, str]
    paid_cai_by_day: dict[str, str]
    claimed_tasks: int
    claimed_pictures: int
    claimed_draws: int


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A new block. ``happened``: nodes, each with the name of an event of the contract."""

    block: int
    happened: tuple[tuple[NodeId, str], ...]
