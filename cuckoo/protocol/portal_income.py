"""What the staking portal shows of income: of a node, of a staker, of the network. Amounts are decimal CAI."""

import msgspec

from cuckoo.domain.identifiers import Address, NodeId
from cuckoo.protocol.portal import At


class NodeDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day (UTC, "2026-01-31") of a node.

    Attributes:
        own_cai, votes_cai, weight_cai, commission_percent: at its end.
        emission_cai, fees_cai: what the node and those behind it earned, before commission.
        paid_cai: what coordinators paid it for tasks, or what it paid as a coordinator; vouchers redeemed on this day.
    """

    date: str
    own_cai: str
    votes_cai: str
    weight_cai: str
    commission_percent: str
    emission_cai: str
    fees_cai: str
    paid_cai: str


class NodeHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The last days of a node, the oldest first; none before it was registered."""

    at: At
    node_id: NodeId
    days: tuple[NodeDay, ...]


class RewardRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a staker earned on a day at a node, claimed or not; ``source``: emission, fees or commission."""

    date: str
    node_id: NodeId
    name: str
    source: str
    amount_cai: str


class ClaimRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a staker was paid; ``time`` in unix seconds."""

    node_id: NodeId
    time: int
    block: int
    transaction: str
    amount_cai: str


class ProjectedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What stake behind a node earns a day, if all stays as it is.

    Emission is as it is streamed now, fees as in the last 30 days; ``tranche``: own or votes.
    """

    node_id: NodeId
    name: str
    tranche: str
    active_cai: str
    emission_cai: str
    fees_cai: str
    commission_cai: str
    yearly_percent: str


class Rewards(msgspec.Struct, frozen=True, kw_only=True):
    """What a staker earned in the last days, the newest first, and may expect.

    Attributes:
        from_day: the first day (UTC) that is counted.
        earned_cai: sum of ``earned``.
        claimable_cai: what the contract would pay now.
    """

    at: At
    staker: Address
    from_day: str
    earned_cai: str
    claimable_cai: str
    earned: tuple[RewardRow, ...]
    claims: tuple[ClaimRow, ...]
    projected: tuple[ProjectedRow, ...]
