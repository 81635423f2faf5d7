"""docs/trust.md, "When cheating loses money": its figures follow from the defaults of contracts, network and audits."""

import re
from pathlib import Path

import pytest

from cuckoo.domain.network import MAIN
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.scheduler.health import Health
from cuckoo.services.auditing.sampling import MORE, NEWCOMER_AUDITS
from tests.bench import crooks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")


def section(title):
    """Read a section of the page, each run of blanks as one."""
    return " ".join(PAGE.split(f"## {title}", 1)[1].split("\n## ", 1)[0].split())


TEXT = section("When cheating loses money")
HOUR = 3_600


def constant(contract, name):
    """Read a constant out of a contract's source."""
    source = (ROOT / "contracts" / "src" / "staking" / contract).read_text(encoding="utf-8")
    found = re.search(rf"uint256 private constant {name} = ([\d_]+)( days| ether)?;", source)
    return int(found[1])


FLOOR = constant("Weights.sol", "MINER_MINIMUM")
SLASH = FLOOR // constant("Slashing.sol", "JUDGED_DIVISOR")
Q = CoordinatorSettings().audits
JUDGED_S = MAIN.claim + MAIN.commit + MAIN.reveal + MAIN.appeal


def paid_fakes(q, d=1.0):
    """Return how many faked results are paid, on average, before one is found."""
    return (1 - q * d) / (q * d)


def left_out_s():
    """Return for how long a miner whose result was found wrong is not drawn."""
    found = Health().disproved(0.0)
    return next(second for second in range(HOUR) if not found.refreshed(second).left_out)


@pytest.mark.parametrize(
    ("who", "q", "d"),
    [
        ("a known miner", Q, 1.0),
        ("a newcomer, or an unhealthy one", Q * MORE, 1.0),
        ("a known one, half of the stake in league with it", Q, 0.5),
        ("a known one that does 1 of 16 steps wrong", Q, 0.25 + 0.75 / 16),
    ],
)
def test_table__what_a_faked_result_may_gain__follows_from_the_defaults(who, q, d):
    fakes = paid_fakes(q, d)
    assert f"| {who} | {100 * q:.0f} % | {d:.3g} | {fakes:,.0f} | {SLASH / fakes:,.1f} CAI |" in TEXT


def test_premises__are_the_defaults():
    assert f"{FLOOR:,} CAI" in TEXT
    assert f"{SLASH:,} CAI" in TEXT
    assert f"fewer than {('no', 'one', 'two', 'three')[NEWCOMER_AUDITS]} results found right" in TEXT
    assert f"{JUDGED_S // HOUR} hours" in TEXT
    assert f"{left_out_s() // 60} minutes" in TEXT
    assert f"{constant('Slashing.sol', 'JUDGED_WINDOW')} days" in TEXT
    assert constant("Slashing.sol", "JUDGED_WINDOW") * 24 * HOUR == MAIN.jail


@pytest.mark.parametrize("an_hour", [10, 60, 360])
def test_table__while_the_jury_sits__follows_from_the_defaults(an_hour):
    fakes = paid_fakes(Q * MORE)  # found once, it is checked like a newcomer until found right three times
    cycle_s = (fakes + 1) * HOUR / an_hour + left_out_s()
    paid = paid_fakes(Q) + fakes * JUDGED_S / cycle_s  # a known miner's, until it is first found; then these
    two = FLOOR * (1 - (1 - SLASH / FLOOR) ** 2)
    assert f"| {an_hour} | {paid:,.0f} | {two / paid:,.2f} CAI |" in TEXT


def test_coordinators_that_cheat__as_the_bench_finds_them__stand_on_the_page():
    text = section("Coordinators that cheat")
    assert all(crook.sentence in text for crook in crooks.Crook)
    steered = {}
    for what, who, tasks in crooks.rows_of(1_000):
        if what.endswith("%"):
            steered.setdefault((what.rsplit(",", 1)[0], who), []).append(tasks)
    assert steered
    for row in steered.values():
        assert f"| {' | '.join(row)} |" in text
    assert f"{100 * crooks.honest(1_000):.1f} % of the miners of an honest coordinator warn" in text
