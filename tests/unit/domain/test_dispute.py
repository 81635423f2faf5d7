import pytest

from cuckoo.domain.dispute import Outcome, Verdict, finable


@pytest.mark.parametrize(
    ("outcome", "fined"),
    [
        (Outcome.CONVICTED, {Verdict.NONE, Verdict.NOT_GUILTY}),
        (Outcome.ACQUITTED, {Verdict.NONE, Verdict.GUILTY}),
        (Outcome.DRAWN, {Verdict.NONE}),
    ],
)
def test_finable__each_verdict__as_the_contract_has_it(outcome, fined):
    assert {verdict for verdict in Verdict if finable(verdict, outcome)} == fined
