"""The file of what the chain has told: final blocks stay, later ones are replaced, several processes share it."""

import pytest

from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import Role
from cuckoo.storage import chronicle as module
from cuckoo.storage.chronicle import Chronicle, Happened, Progress


def event(block, name="Weighed", node=1, index=0, **arguments):
    return Happened(
        block=block,
        log_index=index,
        at=block * 10,
        node=node,
        name=name,
        staker=arguments.get("staker", ""),
        hash=bytes(32),
        arguments=arguments,
    )


def registered(block, node=1, owner="0xA"):
    return event(block, "Registered", node, role=0, owner=owner)


def progress(final, block, genesis="one"):
    return Progress(
        genesis=genesis, final=final, final_hash=b"%d" % final, block=block, at=block * 10, hash=b"%d" % block
    )


async def blocks_of(chronicle, node=1):
    return [one.block for one in await chronicle.read(lambda pages: pages.of_node(node))]


@pytest.fixture
def chronicle(tmp_path):
    found = Chronicle(tmp_path / "folder" / "chronicle.sqlite")
    yield found
    found.close()


async def test_write__later_blocks_again__replaced_and_final_ones_stay(chronicle):
    first = progress(10, 20)
    assert await chronicle.write(None, first, [registered(5), event(15, weight=7 * CAI)])
    second = progress(17, 22)
    assert await chronicle.write(first, second, [event(16, weight=9 * CAI), event(21, weight=3 * CAI)])
    assert await blocks_of(chronicle) == [5, 16, 21]
    assert await chronicle.read(lambda pages: pages.progress()) == second
    assert await chronicle.read(lambda pages: pages.weight(1)) == 3 * CAI


async def test_write__another_process_went_further__nothing_is_changed(chronicle, tmp_path):
    first = progress(10, 20)
    await chronicle.write(None, first, [registered(5)])
    other = Chronicle(tmp_path / "folder" / "chronicle.sqlite")
    assert await other.write(first, progress(15, 25), [event(21, weight=1)])
    assert not await chronicle.write(first, progress(12, 22), [])
    assert await blocks_of(chronicle) == [5, 21]
    other.close()


async def test_write__another_chain__begins_anew(chronicle):
    await chronicle.write(None, progress(10, 20), [registered(5), event(6, weight=CAI)])
    await chronicle.write(None, progress(1, 2, "two"), [registered(1)])
    assert await blocks_of(chronicle) == [1]
    assert (await chronicle.read(lambda pages: pages.accrual(Role.MINER))).weight_wei == 0


async def test_accruals__weights_rates_and_reserves__as_they_were_at_any_moment(chronicle):
    told = [
        event(1, "ReserveFunded", 0, amount=1_000 * CAI),
        event(1, "EmissionRateChanged", 0, index=1, weiPerSecond=10 * CAI),
        registered(2),
        event(2, index=1, weight=3 * CAI),
        registered(4, node=2),
        event(4, node=2, index=1, weight=CAI),
        event(6, weight=0),
    ]
    first = progress(4, 6)
    await chronicle.write(None, first, told)
    miners = await chronicle.read(lambda pages: [pages.accrual(Role.MINER, at).weight_wei for at in (15, 20, 45, 70)])
    assert miners == [0, 3 * CAI, 4 * CAI, CAI]
    left = await chronicle.read(lambda pages: [pages.accrual(Role.MINER, at).reserve_wei for at in (15, 30, 10_000)])
    assert left == [600 * CAI, 540 * CAI, 0]
    # The last block is replaced: what was known at the final one goes on from there.
    await chronicle.write(first, progress(4, 7), [event(7, node=2, weight=5 * CAI)])
    assert (await chronicle.read(lambda pages: pages.accrual(Role.MINER))).weight_wei == 8 * CAI


async def test_open__of_another_version__begins_anew(chronicle, tmp_path, monkeypatch):
    await chronicle.write(None, progress(10, 20), [registered(5)])
    chronicle.close()
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    again = Chronicle(tmp_path / "folder" / "chronicle.sqlite")
    assert await again.read(lambda pages: pages.progress()) is None
    again.close()


async def test_owned_and_of_staker__found_by_their_addresses(chronicle):
    told = [
        registered(1),
        registered(2, node=2, owner="0xB"),
        event(3, "OwnerTransferred", 2, owner="0xA"),
        event(4, "Claimed", 2, staker="0xC", amount=2**90),
    ]
    await chronicle.write(None, progress(4, 4), told)
    assert await chronicle.read(lambda pages: pages.owned("0xA")) == [1, 2]
    (claim,) = await chronicle.read(lambda pages: pages.of_staker("0xC"))
    assert claim.arguments["amount"] == 2**90
