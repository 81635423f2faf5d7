"""The block that seeds a draw period, against the rule read aloud."""

from types import SimpleNamespace

from hypothesis import example, given
from hypothesis import strategies as st

from cuckoo.chain.seedblocks import seed_block

LEAD_S = 10


class Blocks:
    """A chain of blocks with given timestamps, the last ``unfinal`` of them not final yet."""

    def __init__(self, timestamps, unfinal):
        self.blocks = [SimpleNamespace(number=number, timestamp=time) for number, time in enumerate(timestamps)]
        self.final = max(0, len(self.blocks) - 1 - unfinal)
        self.network = SimpleNamespace(parameters=SimpleNamespace(draw_lead=LEAD_S))

    async def block(self, which="latest"):
        return self.blocks[{"latest": -1, "finalized": self.final}.get(which, which)]


def by_the_rule(chain, period_start, tip_block):
    """Return the number of the one block, or None while a later one could still take its place."""
    early = [block.number for block in chain.blocks if block.timestamp <= period_start - LEAD_S]
    number = max([*early, tip_block + 1])
    decided = number > max(early, default=-1) or number + 1 < len(chain.blocks)
    return number if number <= chain.final and decided else None


@given(
    gaps=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    unfinal=st.integers(0, 5),
    start=st.integers(0, 140),
    tip=st.integers(0, 29),
)
@example(gaps=[0, 5, 0, 0, 5], unfinal=0, start=15, tip=1)
async def test_seed_block__any_chain__is_the_one_of_the_rule(gaps, unfinal, start, tip):
    times = [sum(gaps[: count + 1]) for count in range(len(gaps))]
    chain = Blocks(times, unfinal)
    tip = min(tip, len(times) - 1)
    found = await seed_block(chain, start, tip)
    assert (found and found.number) == by_the_rule(chain, start, tip)
