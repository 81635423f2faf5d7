"""A picture against its receipt: who signed, which pixels, whose standing, and a run of one's own."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from cuckoo.domain.identifiers import Role
from cuckoo.protocol.eip712 import Domain
from cuckoo.services.verifying.checks import State, verdict
from cuckoo.services.verifying.pictures import check_assignment_hash, check_pixels, check_rerun, check_signatures
from tests.support.coordinating import DOMAIN, PROFILE, node, png
from tests.support.receipts import COORDINATOR_KEY, MINER_KEY, PICTURE, PIXELS, receipt_view

LONGEST_S = 60


class Chain:
    """Operators and nodes as the chain would show them."""

    def __init__(self):
        self.operators = {COORDINATOR_KEY.address: (1, 0), MINER_KEY.address: (2, 0)}
        self.nodes = {
            1: node(1, Role.COORDINATOR, COORDINATOR_KEY.address),
            2: node(2, Role.MINER, MINER_KEY.address),
        }

    async def operator_of(self, operator):
        return self.operators.get(operator, (0, 0))

    async def node(self, node_id):
        return self.nodes[node_id]


async def states(view, chain, domain=DOMAIN):
    return {check.name: check.state for check in await check_signatures(view, chain, domain, LONGEST_S)}


async def test_signatures__right__with_the_standing_of_both():
    assert await states(receipt_view(), Chain()) == dict.fromkeys(
        ("receipt", "miner's standing", "draw", "coordinator's standing"), State.RIGHT
    )


async def test_signatures__offline__say_who_signed_and_claim_nothing():
    checks = await check_signatures(receipt_view(), None, None, 0)
    assert [check.state for check in checks] == [State.UNCHECKED] * 2
    assert MINER_KEY.address in checks[0].detail


@pytest.mark.parametrize(
    ("operators", "state"),
    [
        ({MINER_KEY.address: (3, 0)}, State.WRONG),
        ({MINER_KEY.address: (0, 0)}, State.WRONG),
        ({MINER_KEY.address: (2, 1_700_000_000)}, State.RIGHT),
        ({MINER_KEY.address: (2, 1_700_000_060 - LONGEST_S - 1)}, State.WRONG),
    ],
    ids=["another node", "nobody", "replaced after", "replaced long before"],
)
async def test_signatures__of_a_key__counts_for_its_node_and_time_only(operators, state):
    chain = Chain()
    chain.operators |= operators
    assert (await states(receipt_view(), chain))["receipt"] is state


async def test_signatures__a_parameter_changed__neither_fits():
    view = receipt_view()
    forged = replace(view.assignment, parameters=replace(view.assignment.parameters, steps=3))
    view = replace(view, assignment=forged)
    assert (await states(view, Chain()))["draw"] is State.WRONG
    assert check_assignment_hash(view).state is State.WRONG


async def test_signatures__of_another_network__wrong():
    assert await states(receipt_view(), Chain(), Domain(1, DOMAIN.staking)) == {"network": State.WRONG}


async def test_standing__without_weight__is_told_and_does_not_make_the_picture_wrong():
    chain = Chain()
    chain.nodes[2] = replace(chain.nodes[2], weight_wei=0, jailed_until=1)
    checks = await check_signatures(receipt_view(), chain, DOMAIN, LONGEST_S)
    (standing,) = (check for check in checks if check.name == "miner's standing")
    assert standing.state is State.UNCHECKED
    assert "jail" in standing.detail


def test_pixels__of_one_of_the_pictures__right():
    check = check_pixels(receipt_view(), PICTURE)
    assert check.state is State.RIGHT
    assert "picture 2 of 2" in check.detail
    assert check_pixels(receipt_view(), png(colour=(0, 0, 0))[0]).state is State.WRONG
    assert check_pixels(receipt_view(), PICTURE[:40]).state is State.WRONG


@pytest.mark.parametrize(
    ("profile", "latents", "state"),
    [
        (PROFILE, b"latents", State.RIGHT),
        (PROFILE, b"others", State.WRONG),
        (replace(PROFILE, threads=8), b"latents", State.UNCHECKED),
    ],
    ids=["same", "other latents", "other profile"],
)
def test_rerun__compared_exactly__where_the_profiles_are_equal(profile, latents, state):
    view = receipt_view(picture_hashes=(PIXELS,))
    root = view.receipt.latents_root if latents == b"latents" else b"\x01" * 32
    made = SimpleNamespace(profile=profile, picture_hashes=[PIXELS], latents_root=root, pictures=[PICTURE])
    check = check_rerun(view, PICTURE, made)
    assert check.state is state
    if state is State.UNCHECKED:
        assert "(threads): the pixels differ by 0.00 of 255" in check.detail


def test_verdict__one_wrong__wrong():
    right = check_pixels(receipt_view(), PICTURE)
    unchecked = replace(right, state=State.UNCHECKED)
    wrong = replace(right, state=State.WRONG)
    assert [verdict(some) for some in ([right], [right, unchecked], [unchecked, wrong])] == [
        State.RIGHT,
        State.UNCHECKED,
        State.WRONG,
    ]
