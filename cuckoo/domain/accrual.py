"""What nodes and those behind them have earned, from events alone.

The Staking contract streams a reserve by recorded weight, and each node's fees, and settles a node whenever anything
about it changes. Its events therefore say all that is needed to follow it: :class:`RoleAccrual` is what a wei of weight
has earned, and :func:`slices` cuts the life of a node into spans in which nothing changed, with what was earned in each
and by whom. Sums differ from the contract's by a few wei of rounding.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import msgspec

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import Role

INDEX_SCALE = 10**30
OWN, VOTES = 0, 1
_BPS = 10_000
_MINERS_PERCENT = 60
_NANOSECONDS = 10**9
_EARNING_MINIMUM = 1 * CAI


class RoleAccrual(msgspec.Struct, frozen=True, kw_only=True):
    """What a role's reserve has paid, at a moment.

    Attributes:
        at: unix seconds.
        weight_wei: sum of recorded weights.
        rate_wei: how fast the reserve is streamed, wei a second.
        reserve_wei: what is left of it.
        index: what a wei of weight has earned, x ``INDEX_SCALE``.
    """

    at: int = 0
    weight_wei: int = 0
    rate_wei: int = 0
    reserve_wei: int = 0
    index: int = 0

    def settled(self, at: int) -> "RoleAccrual":
        """Stream up to a moment; while nobody has weight nothing is streamed."""
        if not self.weight_wei:
            return msgspec.structs.replace(self, at=at)
        streamed = min(self.rate_wei * max(0, at - self.at), self.reserve_wei)
        return msgspec.structs.replace(
            self,
            at=at,
            reserve_wei=self.reserve_wei - streamed,
            index=self.index + streamed * INDEX_SCALE // self.weight_wei,
        )

    def with_weight(self, at: int, change_wei: int) -> "RoleAccrual":
        """Take in that a node of the role weighs more, or less."""
        now = self.settled(at)
        return msgspec.structs.replace(now, weight_wei=now.weight_wei + change_wei)

    def funded(self, at: int, role: Role, amount_wei: int) -> "RoleAccrual":
        """Take in that the reserve of both roles was given something."""
        now = self.settled(at)
        return msgspec.structs.replace(now, reserve_wei=now.reserve_wei + _part(role, amount_wei))

    def streaming(self, at: int, role: Role, wei_per_second: int) -> "RoleAccrual":
        """Take in that both reserves together are streamed at another rate."""
        return msgspec.structs.replace(self.settled(at), rate_wei=_part(role, wei_per_second))


def _part(role: Role, amount: int) -> int:
    miners = amount * _MINERS_PERCENT // 100
    return miners if role is Role.MINER else amount - miners


class Told(Protocol):
    """One event of Staking that names the node."""

    @property
    def name(self) -> str:
        """As the ABI has it."""

    @property
    def at(self) -> int:
        """Unix seconds of its block."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """As the ABI names them."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A span of a node's life in which nothing changed.

    Attributes:
        since, until: unix seconds.
        weight_wei, own_wei, votes_wei: recorded weight, active stake of both tranches.
        commission_bps: what its owner takes of all that is earned.
        owned: whether the staker that was asked about owns it, hence the commission and the own tranche.
        emission_wei, fees_wei: what the node has earned.
        share: which part of the active votes that staker holds.
    """

    since: int
    until: int
    weight_wei: Wei
    own_wei: Wei
    votes_wei: Wei
    commission_bps: int
    owned: bool
    emission_wei: Wei
    fees_wei: Wei
    share: Fraction

    def income(self) -> dict[str, Wei]:
        """Return what came of it for the staker, by source: emission, fees, commission."""
        found: dict[str, Wei] = {}
        own, votes = (_earning(stake) for stake in (self.own_wei, self.votes_wei))
        if not own + votes:
            return found
        part = Fraction(votes, own + votes) * self.share
        if self.owned:
            part += Fraction(own, own + votes)
        commission = 0
        for source, earned in (("emission", self.emission_wei), ("fees", self.fees_wei)):
            owners = earned * self.commission_bps // _BPS
            found[source] = Wei(int((earned - owners) * part))
            commission += owners
        if self.owned:
            found["commission"] = Wei(commission)
        return found


def _earning(stake_wei: int) -> int:
    return 0 if stake_wei < _EARNING_MINIMUM else stake_wei


class _Fees:
    """Fees of a node on their way to those behind it; each amount streams for the same time, all of them as one."""

    def __init__(self, stream_s: int) -> None:
        self._stream_ns = stream_s * _NANOSECONDS
        self._left, self._remaining_ns = 0, 0

    def add(self, amount_wei: int) -> None:
        total = self._left * self._remaining_ns + amount_wei * self._stream_ns
        self._left += amount_wei
        self._remaining_ns = -(-total // self._left)

    def due(self, seconds: int) -> int:
        elapsed = seconds * _NANOSECONDS
        if elapsed >= self._remaining_ns:
            due, self._left, self._remaining_ns = self._left, 0, 0
            return due
        due = self._left * elapsed // self._remaining_ns
        self._left -= due
        self._remaining_ns -= elapsed
        return due


class _Votes:
    """Active shares of the votes: all, and those of one staker."""

    def __init__(self, staker: str) -> None:
        self._staker = staker
        self._all, self._held = 0, 0

    @property
    def share(self) -> Fraction:
        return Fraction(self._held, self._all) if self._all else Fraction(0)

    def take(self, name: str, arguments: Mapping[str, Any]) -> None:
        if arguments.get("tranche") != VOTES:
            return
        if name == "Wiped":
            self._all = self._held = 0
        elif name in ("Voted", "Revoted", "Unvoted"):
            change = arguments["shares"] * (-1 if name == "Unvoted" else 1)
            self._all += change
            self._held += change * (arguments["staker"] == self._staker)


def slices(
    events: Iterable[Told],
    index: Callable[[int], int],
    *,
    until: int,
    fee_stream_s: int,
    cuts: Sequence[int] = (),
    staker: str = "",
) -> list[Slice]:
    """Cut the life of a node into spans in which nothing changed.

    Args:
        events: all of Staking that name the node, in the order of the chain, from its registration.
        index: of the node's role at a moment, see :class:`RoleAccrual`.
        until: the end of the last span, unix seconds.
        fee_stream_s: the network's parameter.
        cuts: more moments at which spans end, rising.
        staker: whose part is wanted; "": nobody's.
    """
    found: list[Slice] = []
    fees, votes = _Fees(fee_stream_s), _Votes(staker)
    weight = own = voted = commission = since = 0
    owner = ""
    waiting = list(cuts)

    def advance(now: int) -> None:
        nonlocal since
        while since < now:
            while waiting and waiting[0] <= since:
                waiting.pop(0)
            end = min(now, waiting[0]) if waiting else now
            earns = _earning(own) + _earning(voted)
            found.append(
                Slice(
                    since=since,
                    until=end,
                    weight_wei=Wei(weight),
                    own_wei=Wei(own),
                    votes_wei=Wei(voted),
                    commission_bps=commission,
                    owned=owner == staker,
                    emission_wei=Wei(weight * (index(end) - index(since)) // INDEX_SCALE if weight else 0),
                    fees_wei=Wei(fees.due(end - since) if earns else 0),
                    share=votes.share,
                )
            )
            since = end

    for event in events:
        arguments = event.arguments
        if event.name == "Registered":
            since = event.at
            owner, commission = arguments["owner"], arguments["commissionBps"]
            continue
        advance(min(event.at, until))
        if event.at > until:
            break
        match event.name:
            case "Weighed":
                weight, own, voted = arguments["weight"], arguments["ownActive"], arguments["votesActive"]
            case "FeesAdded":
                fees.add(arguments["amount"])
            case "CommissionChanged":
                commission = arguments["commissionBps"]
            case "OwnerTransferred":
                owner = arguments["owner"]
            case name:
                votes.take(name, arguments)
    if since:
        advance(until)
    return found
