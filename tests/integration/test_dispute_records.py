"""The record of disputes: what is told of them, and that all money that was taken went somewhere."""

from collections import Counter

import pytest
import pytest_asyncio

from cuckoo.chain.rpc import ChainClient
from cuckoo.demo.cheats import Cheat, CheatingPool
from cuckoo.domain.amounts import CAI
from cuckoo.domain.dispute import Verdict
from cuckoo.domain.errors import InvalidField, NotFound
from cuckoo.services.disputing.record import Records
from tests.support.disputing import Pool, courthouse, long_phases

BOND = 210 * CAI


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network():
    async with long_phases() as deployed:
        yield deployed


@pytest.fixture
async def town(network, tmp_path):
    async with courthouse(network, tmp_path) as stage:
        yield stage


async def juries_of(town):
    return [(await town.jury(node))[0] for node in town.jurors]


async def money(town, dispute=1):
    """Sum what was taken and where it went, by kind."""
    async with await ChainClient.connect(town.network) as client:
        record = await Records(client).record(dispute)
    sums = Counter()
    for flow in record.flows:
        sums[flow.kind] += flow.amount_wei
    return record, sums


async def test_record__lazy_juror_outvoted__all_that_was_taken_went_somewhere(town):
    accusing, store = await town.accusing()
    lazy, *_ = town.jurors
    town.pools[lazy] = CheatingPool(Pool(), Cheat.LAZY_JUROR)
    juries = await juries_of(town)
    await town.accuse(store, *await town.result())
    await accusing.look()
    async with await ChainClient.connect(town.network) as client:
        records = Records(client)
        assert [one.dispute.dispute_id for one in (await records.page("open", 0, 9))[2]] == [1]
        assert (await records.page("past", 0, 9))[1] == 0
        assert (await records.page("all", 0, 9, town.miner))[1] == 1
        assert (await records.page("all", 0, 9, lazy))[1] == 0
        with pytest.raises(NotFound, match="there are 1"):
            await records.record(2)
        with pytest.raises(InvalidField, match="state"):
            await records.page("strange", 0, 9)
    await town.judged(accusing, juries)
    town.until_next_phase(1)
    await accusing.look()
    await town.look(*juries)
    record, sums = await money(town)
    said = {juror.node: juror.seats.verdict for juror in record.jurors}
    assert set(said.values()) == {Verdict.GUILTY, Verdict.NOT_GUILTY}
    assert sums["bond"] == BOND
    assert sums["fine"] > 0
    assert sums["bond"] + sums["fine"] == sums["returned"] + sums["juror"] + sums["burned"]
    fined = {juror.node for juror in record.jurors if juror.fined_wei}
    assert fined == {node for node, verdict in said.items() if verdict is Verdict.GUILTY}


async def test_record__convicted__the_slash_and_the_bonds_add_up(town):
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    await town.cheated(store)
    await accusing.look()
    await town.judged(accusing, juries)
    town.until_next_phase(1)
    await accusing.look()
    await town.look(*juries)
    _, sums = await money(town)
    taken = sums["bond"] + sums["own_stake"] + sums["votes"] + sums["fine"]
    assert sums["own_stake"] == 1_000 * CAI
    assert taken == sums["returned"] + sums["juror"] + sums["burned"]
