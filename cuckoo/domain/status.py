"""What a role tells of itself: written into its data folder while it runs, read by ``cuckoo status``.

Amounts are decimal CAI, or the chain's native coin where a name says gas. Times are unix seconds.
"""

import msgspec


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What a coordinator has with one miner.

    Attributes:
        owed: earned and not redeemed.
        redeemed: paid on chain.
        free: ring-fenced beyond what is owed; what thaws does not count.
    """

    miner: int
    signed_in: bool
    owed: str
    redeemed: str
    free: str


class CoordinatorState(msgspec.Struct, frozen=True, kw_only=True, tag_field="role", tag="coordinator"):
    """What a coordinator tells.

    Attributes:
        not_eligible: why it carries no weight; "" while it does.
        done_today, failed_today: tasks since midnight, UTC.
        owed, redeemed, free: sums over ``accounts_known`` miners.
        free_least: the least that is free for one of them; None where there is none.
        wallet, gas: what the operator's wallet has; None before it was read.
        lasts_s: how long the wallet lasts at the present rate; None while nothing is spent.
        accounts: the thousand with the least free.
        warnings: what is wrong, by kind.
    """

    node: int
    weight: str
    not_eligible: str
    miners: int
    queued: int
    running: int
    done_today: int
    failed_today: int
    owed: str
    redeemed: str
    free: str
    free_least: str | None
    wallet: str | None
    gas: str | None
    lasts_s: int | None
    accounts_known: int
    accounts: tuple[Account, ...]
    warnings: dict[str, str]


class Backing(msgspec.Struct, frozen=True, kw_only=True):
    """What a miner has with one coordinator.

    Attributes:
        unredeemed: what the best voucher holds beyond what the chain has paid.
        in_flight: what work in hand will earn.
        free: ring-fenced beyond both; None before the account was read.
        redeemed: paid on chain.
        stopped: why no work is taken from it, "" while it is.
    """

    coordinator: int
    signed_in: bool
    unredeemed: str
    in_flight: str
    free: str | None
    redeemed: str | None
    stopped: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Seats of a miner in a jury; ``outcome``: what it said and what came of it, "" while the dispute goes on."""

    dispute: int
    round: int
    accused: int
    seats: int
    outcome: str


class MinerState(msgspec.Struct, frozen=True, kw_only=True, tag_field="role", tag="miner"):
    """What a miner tells; ``not_eligible``, ``gas`` and ``warnings`` as for a coordinator.

    Attributes:
        models: loaded and ready.
        running: attempts in hand.
        done_today: results accepted since midnight, UTC.
        backing: every coordinator with a session, a voucher, or paid work.
        judged: the newest disputes in which it is a juror, the newest first.
    """

    node: int
    weight: str
    not_eligible: str
    models: tuple[str, ...]
    devices: tuple[str, ...]
    running: int
    done_today: int
    gas: str | None
    backing: tuple[Backing, ...]
    warnings: dict[str, str]
    judged: tuple[Judged, ...] = ()


class StakerState(msgspec.Struct, frozen=True, kw_only=True, tag_field="role", tag="staker"):
    """What a staker tells.

    Attributes:
        nodes: how many it stands behind.
        active: what works behind them.
        rewards: claimable.
        unbonding: on its way out; ``releasable`` of it is free now.
    """

    address: str
    wallet: str
    gas: str
    idle: str
    nodes: int
    active: str
    rewards: str
    unbonding: str
    releasable: str
    warnings: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A role's state, and when it was so.

    Attributes:
        pid: the process that wrote it.
        at: when it was written.
        every_s: how often it is written.
        stopped: whether this is the last word of a process that stopped as asked.
    """

    network: str
    pid: int
    started_at: float
    at: float
    every_s: float
    stopped: bool
    state: CoordinatorState | MinerState | StakerState
