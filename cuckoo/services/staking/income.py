"""Income as the portal and ``cuckoo stake rewards`` show it: of a staker, and of a node."""

from collections.abc import Iterator
from itertools import groupby

from cuckoo.chain.contracts import OWN
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.portal import At
from cuckoo.protocol.portal_income import ClaimRow, NodeDay, NodeHistory, ProjectedRow, RewardRow, Rewards
from cuckoo.services.staking.history import History, day_of, midnights
from cuckoo.services.staking.shelf import BPS, TRANCHES, NodeShelf
from cuckoo.services.staking.wallet import Stake, Wallet
from cuckoo.storage.chronicle import Progress

DAYS_MAX = 366
CSV_HEAD = ("date", "node", "source", "cai")
_YEAR_DAYS = 365


async def rewards_of(wallet: Wallet, shelf: NodeShelf, history: History, days: int) -> Rewards:
    """Read what a staker earned in the last days, today (UTC) included.

    Raises:
        TransientError: the chain does not answer, or its history is not read yet.
    """
    await shelf.ready()
    progress, earned = await history.earnings(wallet.address, days)
    claims = await history.claims(wallet.address, days)
    stakes = (await wallet.portfolio()).stakes
    return Rewards(
        at=_at(progress),
        staker=wallet.address,
        from_day=day_of(midnights(progress.at, days)[0]),
        earned_cai=_cai(sum(one.amount_wei for one in earned)),
        claimable_cai=_cai(sum(one.rewards_wei for one in stakes)),
        earned=tuple(
            RewardRow(
                date=one.date,
                node_id=one.node,
                name=shelf.name(one.node),
                source=one.source,
                amount_cai=_cai(one.amount_wei),
            )
            for one in earned
        ),
        claims=tuple(
            ClaimRow(
                node_id=one.node,
                time=one.at,
                block=one.block,
                transaction="0x" + one.hash.hex(),
                amount_cai=_cai(one.arguments["amount"]),
            )
            for one in claims
        ),
        projected=tuple(_projected(one, shelf) for one in stakes if one.active_wei),
    )


def csv_of(rewards: Rewards) -> Iterator[str]:
    """Write what was earned as lines of CSV; they hold nothing that somebody else has worded."""
    yield ",".join(CSV_HEAD) + "\r\n"
    for one in rewards.earned:
        yield f"{one.date},{one.node_id},{one.source},{one.amount_cai}\r\n"


def _projected(stake: Stake, shelf: NodeShelf) -> ProjectedRow:
    node, active = stake.node, stake.active_wei
    emission, fees = shelf.daily(node)
    behind = node.own_active_wei + node.votes_active_wei
    commission = (emission + fees) * node.commission_bps // BPS if stake.tranche == OWN else 0
    mine = [each * (BPS - node.commission_bps) // BPS * active // behind for each in (emission, fees)]
    return ProjectedRow(
        node_id=node.node_id,
        name=shelf.name(node.node_id),
        tranche=TRANCHES[stake.tranche],
        active_cai=_cai(active),
        emission_cai=_cai(mine[0]),
        fees_cai=_cai(mine[1]),
        commission_cai=_cai(commission),
        yearly_percent=f"{(sum(mine) + commission) * _YEAR_DAYS * 100 / active:.4f}",
    )


async def history_of(node_id: NodeId, shelf: NodeShelf, history: History, days: int) -> NodeHistory:
    """Read the last days of a node; raises NotFound, TransientError."""
    node = shelf.node(node_id)
    progress, life = await history.life_of(node_id, node.role, days)
    paid = await history.paid_by_day(node_id, days)
    by_day = [(day, list(some)) for day, some in groupby(life, key=lambda one: day_of(one.since))]
    return NodeHistory(
        at=_at(progress),
        node_id=node_id,
        days=tuple(
            NodeDay(
                date=day,
                own_cai=_cai(some[-1].own_wei),
                votes_cai=_cai(some[-1].votes_wei),
                weight_cai=_cai(some[-1].weight_wei),
                commission_percent=f"{some[-1].commission_bps / 100:g}",
                emission_cai=_cai(sum(one.emission_wei for one in some)),
                fees_cai=_cai(sum(one.fees_wei for one in some)),
                paid_cai=_cai(paid.get(day, 0)),
            )
            for day, some in by_day
        ),
    )


def _at(progress: Progress) -> At:
    return At(block=progress.block, time=progress.at, hash=progress.hash)


def _cai(wei: int) -> str:
    return format_cai(wei, grouped=False)
