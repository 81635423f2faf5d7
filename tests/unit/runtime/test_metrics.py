"""What a process counts."""

from cuckoo.runtime.metrics import CoordinatorMetrics, Today

NOON = 20_000 * 86_400 + 43_200.0


def test_today__midnight_passes__begins_anew():
    today = Today()
    today.add("done", NOON, 3)
    today.add("done", NOON + 60)
    assert (today.count("done", NOON + 60), today.count("failed", NOON)) == (4, 0)
    assert today.count("done", NOON + 43_200) == 0
    today.add("done", NOON + 43_199)  # signed before midnight, accepted after it
    assert today.count("done", NOON + 43_200) == 1


def test_warnings__that_are_over__go_back_to_zero():
    metrics = CoordinatorMetrics()
    kinds = {"gas_low": "", "chain": ""}
    metrics.warn({"gas_low": "3 left"}, kinds)
    assert 'cuckoo_warning{kind="gas_low"} 1.0' in metrics.render().decode()
    metrics.warn({}, kinds)
    text = metrics.render().decode()
    assert 'cuckoo_warning{kind="gas_low"} 0.0' in text
    assert 'cuckoo_warning{kind="chain"} 0.0' in text
