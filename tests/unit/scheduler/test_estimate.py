import math
import random

import pytest

from cuckoo.scheduler.estimate import QUEUED, RUNS, Calibration, Forecast, queue_stage
from cuckoo.scheduler.simulate import Scenario, simulate


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("load", [0.3, 0.9])
def test_eta__of_many_tasks__holds_as_often_as_it_says(uneven, load):
    outcome = simulate(Scenario(stakes=(1, 2, 3, 4), load=load, prefetch=True, tasks=3_000, uneven=uneven))
    assert 0.44 < outcome.within_p50 < 0.56
    assert outcome.within_p90 > 0.84
    if uneven:
        assert outcome.within_p90 < 0.94, "equal times can not be split into nine and one"


def test_calibration__known_spread__finds_its_quantiles():
    """Times spread log-normally around twice the forecast: p50 is 2, p90 is 2 e^(1.2816 / 2)."""
    rng, calibration, forecast = random.Random(7), Calibration(), Forecast(RUNS, 10.0, 0.0)
    p50, p90 = [], []
    for number in range(6_000):
        told = calibration.eta(forecast)
        calibration.observe(forecast, told, 20.0 * math.exp(rng.gauss(0.0, 0.5)))
        if number >= 1_000:
            p50.append(told.p50_s)
            p90.append(told.p90_s)
    assert sum(p50) / len(p50) == pytest.approx(20.0, rel=0.05)
    assert sum(p90) / len(p90) == pytest.approx(20.0 * math.exp(1.2816 * 0.5), rel=0.08)
    assert calibration.told == 6_000


def test_calibration__stages__are_learnt_apart():
    calibration = Calibration()
    runs, waits = Forecast(RUNS, 1.0, 0.0), Forecast(QUEUED, 1.0, 0.0)
    for _ in range(500):
        calibration.observe(waits, calibration.eta(waits), 4.0)
    assert calibration.eta(waits).p50_s == pytest.approx(4.0, rel=0.1)
    assert calibration.eta(runs).p50_s == 1.0


def test_eta__p90__is_never_below_p50():
    calibration, forecast = Calibration(), Forecast(RUNS, 1.0, 0.0)
    for _ in range(50):
        calibration.observe(forecast, calibration.eta(forecast), 0.01)
        eta = calibration.eta(forecast)
        assert eta.p90_s >= eta.p50_s


def test_queue_stage__twice_as_much_ahead__is_one_more():
    assert [queue_stage(ahead) for ahead in (0, 0.9, 1, 3, 7, 1e9)] == [2, 2, 3, 4, 5, 8]
