"""What came of a dispute: every wei of bonds and slashes is somewhere."""

import pytest

from cuckoo.chain.disputelog import Ending
from cuckoo.chain.disputes import Dispute, Round
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.dispute import Outcome, Phase
from cuckoo.domain.identifiers import Address, NodeId
from cuckoo.services.disputing.results import Result

WHO = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")


def a_round(guilty=0, not_guilty=0, abstained=0, silent=0):
    return Round(
        started_at=1,
        weight_cai=100,
        expected=21,
        claimed=guilty + not_guilty + abstained + silent,
        guilty=guilty,
        not_guilty=not_guilty,
        abstained=abstained,
        ticket=1,
        seed=b"\1" * 32,
    )


def a_result(outcome, rounds, *, appeal=0, fee=5, own=0, votes=0, returned=0):
    dispute = Dispute(
        dispute_id=1,
        fault_id=bytes(32),
        coordinator=NodeId(1),
        miner=NodeId(4),
        accuser=WHO,
        bond_wei=Wei(210 * CAI),
        appellant=WHO if appeal else None,
        appeal_bond_wei=Wei(appeal * CAI),
        rounds=len(rounds),
        phase=Phase.ENDED,
        phase_ends=0,
        outcome=outcome,
        fee_wei=Wei(fee * CAI),
    )
    ending = Ending(own_wei=Wei(own * CAI), votes_wei=Wei(votes * CAI), returned_wei=Wei(returned * CAI))
    return Result(dispute=dispute, rounds=tuple(rounds), ending=ending)


@pytest.mark.parametrize(
    ("result", "burned", "words"),
    [
        (
            a_result(Outcome.CONVICTED, [a_round(guilty=17, not_guilty=3, silent=1)], own=1_000, returned=210),
            915,
            "miner 4 was convicted by 17 of 21 seats and lost 1,000 CAI; 915 CAI burned",
        ),
        (
            a_result(
                Outcome.CONVICTED,
                [a_round(guilty=21), a_round(guilty=40, abstained=3)],
                appeal=430,
                own=1_000,
                votes=500,
                returned=210,
            ),
            1_625,
            "miner 4 was convicted by 40 of 43 seats and lost 1,500 CAI; 1,625 CAI burned",
        ),
        (
            a_result(Outcome.ACQUITTED, [a_round(not_guilty=15, guilty=6)]),
            135,
            "miner 4 was acquitted by 15 of 21 seats and its accuser lost 210 CAI; 135 CAI burned",
        ),
        (
            a_result(Outcome.DRAWN, [a_round(guilty=2, abstained=5)], fee=0, returned=210),
            0,
            (
                "nothing was decided about miner 4: of 7 seats 2 said guilty, 0 not guilty, 5 abstained; "
                "all bonds went back"
            ),
        ),
    ],
)
def test_result__every_outcome__says_it_in_numbers(result, burned, words):
    assert result.burned_wei == burned * CAI
    assert result.words == words
