"""What was earned, from events alone. Against the contract itself: tests/integration/test_full_life.py."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cuckoo.domain.accrual import INDEX_SCALE, RoleAccrual, slices
from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import Role

OWNER, OTHER, VOTER = "0xA", "0xB", "0xC"
STREAM_S = 100


@dataclass
class Told:
    name: str
    at: int
    arguments: dict = field(default_factory=dict)


def registered(at=10, commission=1_000):
    return Told("Registered", at, {"owner": OWNER, "commissionBps": commission, "role": 0})


def weighed(at, own, votes):
    return Told("Weighed", at, {"weight": own + votes, "ownActive": own, "votesActive": votes})


def voted(at, staker, shares, name="Voted"):
    return Told(name, at, {"tranche": 1, "staker": staker, "shares": shares})


def flat(at):
    """A wei of weight earns 10^-6 wei a second."""
    return at * INDEX_SCALE // 10**6


def life(events, **more):
    return slices(events, flat, until=1_000, fee_stream_s=STREAM_S, **more)


def test_role__nobody_has_weight__nothing_is_streamed():
    role = RoleAccrual().funded(0, Role.MINER, 1_000).streaming(0, Role.MINER, 10)
    assert (role.reserve_wei, role.rate_wei) == (600, 6)
    assert role.settled(50) == RoleAccrual(at=50, reserve_wei=600, rate_wei=6)
    assert RoleAccrual().funded(0, Role.COORDINATOR, 1_001).reserve_wei == 401


def test_role__reserve_runs_dry__no_more_than_there_was():
    role = RoleAccrual().funded(0, Role.MINER, 1_000).streaming(0, Role.MINER, 10).with_weight(0, 3)
    assert role.settled(10).reserve_wei == 540
    dry = role.settled(10_000)
    assert (dry.reserve_wei, dry.index) == (0, 600 * INDEX_SCALE // 3)


def test_slices__votes_and_commission__each_gets_its_part():
    events = [
        registered(),
        weighed(10, 30_000 * CAI, 0),
        voted(110, VOTER, 5),
        voted(110, OTHER, 5),
        weighed(110, 30_000 * CAI, 10_000 * CAI),
    ]
    first, second = life(events, staker=VOTER)
    _, mine = life(events, staker=OWNER)
    assert (first.since, first.until, second.since, second.until) == (10, 110, 110, 1_000)
    assert first.income() == {"emission": 0, "fees": 0}
    whole = 40_000 * CAI * 890 // 10**6
    assert second.income()["emission"] == whole * 9 // 10 // 8
    assert mine.income() == {"emission": (whole - whole // 10) * 3 // 4, "fees": 0, "commission": whole // 10}


def test_slices__node_handed_over__what_was_before_is_the_first_owners():
    events = [registered(), weighed(10, 20_000 * CAI, 0), Told("OwnerTransferred", 500, {"owner": OTHER})]
    assert [one.owned for one in life(events, staker=OWNER)] == [True, False]
    first, second = life(events, staker=OTHER)
    assert "commission" not in first.income()
    assert second.income()["commission"] > 0


def test_slices__votes_wiped__nobody_holds_any():
    events = [registered(), weighed(10, 20_000 * CAI, 0), voted(20, VOTER, 7), Told("Wiped", 30, {"tranche": 1})]
    assert [one.share for one in life(events, staker=VOTER)] == [0, 1, 0]


def test_slices__fees__stream_out_and_wait_for_somebody_to_earn_them():
    events = [registered(), Told("FeesAdded", 20, {"amount": 1_000}), weighed(300, 20_000 * CAI, 0)]
    waiting, still, streaming = life(events, cuts=[])
    assert (waiting.fees_wei, still.fees_wei, streaming.fees_wei) == (0, 0, 1_000)
    assert sum(one.fees_wei for one in life(events, cuts=[350])) == 1_000
    assert [one.fees_wei for one in life(events, cuts=[350])][2] == 500


def test_slices__commission_announced__holds_when_it_is_told_that_it_does():
    events = [
        registered(),
        weighed(10, 20_000 * CAI, 0),
        Told("CommissionAnnounced", 20, {"commissionBps": 1_500, "effectiveAt": 30}),
        Told("CommissionChanged", 40, {"commissionBps": 1_500}),
    ]
    assert [one.commission_bps for one in life(events)] == [1_000, 1_000, 1_500]


STEPS = st.lists(
    st.tuples(st.sampled_from(["weigh", "fees", "vote", "unvote"]), st.integers(0, 90), st.integers(1, 10**6)),
    max_size=12,
)


@given(steps=STEPS, cuts=st.lists(st.integers(0, 1_200), max_size=6))
def test_slices__cut_anywhere__sums_are_the_same(steps, cuts):
    at, held, events = 10, 0, [registered()]
    for what, later, size in steps:
        at += later
        if what == "weigh":
            events.append(weighed(at, size * CAI, held * CAI))
        elif what == "fees":
            events.append(Told("FeesAdded", at, {"amount": size}))
        elif what == "vote":
            held += size
            events += [voted(at, VOTER, size), weighed(at, 20_000 * CAI, held * CAI)]
        elif held:
            held -= min(size, held)
            events += [voted(at, VOTER, min(size, held), "Unvoted"), weighed(at, 20_000 * CAI, held * CAI)]
    whole, cut = life(events), life(events, cuts=sorted(cuts))
    for amount in ("emission_wei", "fees_wei"):
        assert abs(sum(getattr(one, amount) for one in whole) - sum(getattr(one, amount) for one in cut)) <= len(cut)
    assert all(one.until == two.since for one, two in pairwise(cut))
    assert all(at not in range(one.since + 1, one.until) for one in cut for at in cuts)
