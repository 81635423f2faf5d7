import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuckoo.domain.tolerance import ALIKE, Kinship, Likeness, Tolerance
from cuckoo.services.calibrating.measure import families
from cuckoo.services.calibrating.report import calibration, plot
from cuckoo.services.calibrating.spread import Pair, choose, judge, upper_bound

PNG = b"\x89PNG"


def pair(mean, *, honest=True, kinship=Kinship.ALIKE, maker="2 threads"):
    return Pair(maker=maker, honest=honest, kinship=kinship, identical=mean == 0, mean=mean, largest=round(mean))


@given(st.lists(st.floats(0, 255), min_size=1))
def test_choose__any_honest_spread__accuses_none_of_them_and_leaves_room(means):
    bounds = choose(means)
    assert sum(mean <= bounds.same for mean in means) >= 0.95 * len(means)
    assert bounds.different >= 3 * max(means) * (1 - 1e-9)
    assert bounds.same < bounds.different
    assert all(bounds.judge(mean) is not Likeness.DIFFERENT for mean in means)


def test_choose__hardly_any_spread__never_below_what_unseen_machines_may_need():
    assert choose([0.0, 0.0003]) == ALIKE


def test_choose__spread__two_digits_upwards_and_one_in_twenty_may_be_unclear():
    assert choose([*[0.204] * 19, 1.4674]) == Tolerance(0.21, 4.5)


@pytest.mark.parametrize(
    ("events", "trials", "expected"),
    [(0, 100, 0.0295), (0, 300, 0.00994), (1, 100, 0.0466), (5, 5, 1), (900, 5_000, 0.1892)],
)
def test_upper_bound__known_values__as_in_tables(events, trials, expected):
    assert upper_bound(events, trials) == pytest.approx(expected, rel=0.01)


def test_judge__equal_profiles__a_single_pixel_is_other_work():
    bounds = {kinship: kinship.bounds for kinship in Kinship}
    (row,) = judge([pair(0, kinship=Kinship.EQUAL), pair(0.00001, kinship=Kinship.EQUAL)], bounds)
    assert (row.passed, row.found, row.identical) == (1, 1, 1)


def test_judge__maker_of_two_kinships__two_rows():
    bounds = {kinship: kinship.bounds for kinship in Kinship}
    rows = judge([pair(0.1), pair(9, kinship=Kinship.FAR), pair(0.4)], bounds)
    assert [(row.kinship, row.pairs, row.found, row.unclear) for row in rows] == [
        (Kinship.ALIKE, 2, 1, 1),
        (Kinship.FAR, 1, 1, 0),
    ]


def test_calibration__honest_within_cheats_beyond__holds():
    found = calibration(
        "m", "cpu", [pair(0.001), pair(60, honest=False, maker="noise"), pair(0.0, honest=False, maker="cached")]
    )
    (row,) = found.bounds
    assert found.holds
    assert (row.honest, row.accused, row.cheats, row.found, row.passed) == (1, 0, 2, 1, 1)


@pytest.mark.parametrize("mean", [0.35, 0.2])
def test_calibration__honest_pairs_too_far_apart__does_not_hold(mean):
    found = calibration("m", "cpu", [pair(0.001), pair(mean)])
    assert not found.holds  # accused, or so near to it that another machine may be


def test_calibration__to_json_and_back__same():
    found = calibration("m", "cpu", [pair(0.001), pair(60, honest=False, maker="noise")])
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_plot__two_kinships__a_png(tmp_path):
    rows = [
        pair(0.001),
        pair(60, honest=False, maker="noise"),
        pair(0.7, kinship=Kinship.FAR),
        pair(0, kinship=Kinship.EQUAL),
    ]
    plot(calibration("m", "cpu", rows), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(PNG)


def test_families__cpu__differ_from_their_first_in_one_thing_each():
    for first, *others in families("cpu", ["cpu"], 8):
        assert first.options.threads == 1
        for way in others:
            changed = [
                name
                for name in ("threads", "batch_bucket", "attention", "dtype", "isa")
                if getattr(way.options, name) != getattr(first.options, name)
            ]
            assert len(changed) == (0 if "new process" in way.name else 1), way.name


def test_families__gpu_too__cpu_is_compared_with_it():
    names = [way.name for family in families("cuda:0", ["cuda:0", "cpu", "cuda:1"], 8) for way in family]
    assert "on cpu" in names
    assert "on cuda:1" not in names
    assert not any("threads" in name for name in names)
