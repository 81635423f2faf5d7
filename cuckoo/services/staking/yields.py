"""What a staker's stake has earned lately, a year.

``yield = rewards / average active stake * year / span``: rewards are what could be claimed at the end of the span, less
what could be at its beginning, plus what was claimed meanwhile; the average is over time, at the present share price.
"""

from collections.abc import Sequence

import msgspec

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.events import Event, StakingEvents
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.chain.seedblocks import last_block_before
from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import CuckooError
from cuckoo.domain.identifiers import Address
from cuckoo.services.staking.wallet import Stake

DAY_S = 86_400
YEAR_S = 365 * DAY_S
SPANS_S = (7 * DAY_S, 30 * DAY_S)


class Yield(msgspec.Struct, frozen=True, kw_only=True):
    """What a position has earned over a span.

    Attributes:
        span_s: seconds that are really covered: since it began, or as far as the chain's node remembers.
        rewards_wei: what it earned in them.
        percent: that a year, of the average stake; None where there was none, or no time.
    """

    span_s: int
    rewards_wei: Wei
    percent: float | None


class Yields:
    """Reads yields of one staker from the chain."""

    def __init__(self, client: ChainClient, staker: Address) -> None:
        """Bind to a network and a staker."""
        self._client = client
        self._staker = staker
        self._staking = StakingContract(client)
        self._events = StakingEvents(client)

    async def read(self, stakes: Sequence[Stake], at: Block, spans_s: Sequence[int] = SPANS_S) -> list[list[Yield]]:
        """Read the yields of positions over spans that end at a block.

        Args:
            stakes: the positions, as of that block.
            at: the block.
            spans_s: lengths, in seconds.

        Raises:
            TransientError: the chain does not answer.
        """
        starts = [await last_block_before(self._client, at.timestamp - span_s, at) for span_s in spans_s]
        events = await self._events.of_staker(self._staker, at.number)
        times = {event.block_number: 0 for event in events}
        for number in times:
            times[number] = (await self._client.block(number)).timestamp
        return [[await self._yield(stake, start, at, events, times) for start in starts] for stake in stakes]

    async def _yield(
        self, stake: Stake, start: Block, at: Block, events: Sequence[Event], times: dict[int, int]
    ) -> Yield:
        node_id, tranche = stake.node.node_id, stake.tranche
        own = [one for one in events if (one.node_id, one.arguments.get("tranche")) == (node_id, tranche)]
        first = next((times[one.block_number] for one in own if one.name == "Voted"), None)
        begins = max(start.timestamp, first) if first is not None else start.timestamp
        before = 0
        if first is None or first < start.timestamp:
            try:
                before = await self._staking.claimable(node_id, tranche, self._staker, start.number)
            except CuckooError:  # the node of the chain has forgotten that block: count since the last claim
                claims = [times[one.block_number] for one in own if one.name == "Claimed"]
                begins = max([begins, *claims[-1:]])
        claimed = sum(
            int(one.arguments["amount"]) for one in own if one.name == "Claimed" and times[one.block_number] > begins
        )
        rewards_wei = Wei(max(0, stake.rewards_wei + claimed - before))
        span_s = at.timestamp - begins
        average = _average_shares(stake.active_shares, own, times, begins, at.timestamp)
        percent = None
        if average and span_s > 0 and stake.active_shares:
            stake_wei = average * stake.active_wei / stake.active_shares
            percent = 100.0 * rewards_wei / stake_wei * YEAR_S / span_s
        return Yield(span_s=span_s, rewards_wei=rewards_wei, percent=percent)


def _average_shares(now: int, own: Sequence[Event], times: dict[int, int], begins: int, ends: int) -> float:
    """Return the average of the active shares over a time, going back from what they are at its end."""
    total, shares, upper = 0.0, now, ends
    for event in reversed(own):
        at = times[event.block_number]
        if at <= begins:
            break
        if event.name in ("Voted", "Revoted", "Unvoted"):
            total += shares * (upper - at)
            upper = at
            shares += event.arguments["shares"] * (1 if event.name == "Unvoted" else -1)
    total += shares * (upper - begins)
    return total / (ends - begins) if ends > begins else 0.0
