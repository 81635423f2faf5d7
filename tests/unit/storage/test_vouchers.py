"""The best voucher of each coordinator is kept, whatever comes in which order."""

import pytest
from msgspec.structs import replace

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.store import open_store
from cuckoo.storage.vouchers import StoredVoucher


def voucher(coordinator, cumulative):
    return StoredVoucher(
        coordinator_node=NodeId(coordinator),
        cumulative_wei=Wei(cumulative),
        signature=cumulative.to_bytes(65, "big"),
        received_at=1.0,
    )


async def test_keep__same_amount_signed_by_another_key__is_the_better_one(tmp_path):
    async with open_store(tmp_path) as store:
        await store.writer.execute(store.vouchers.keep(voucher(7, CAI)))
        newer = replace(voucher(7, CAI), signature=b"\x09" * 65)
        assert await store.writer.execute(store.vouchers.keep(newer))
        assert not await store.writer.execute(store.vouchers.keep(newer))
        assert await store.vouchers.best(NodeId(7)) == newer


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (2, 2, 1)])
async def test_keep__any_order__the_highest_is_there_after_a_restart(tmp_path, order):
    async with open_store(tmp_path) as store:
        best = 0
        for number in order:
            kept = await store.writer.execute(store.vouchers.keep(voucher(7, number * 10**21)))
            assert kept is (number > best)
            best = max(best, number)
    async with open_store(tmp_path) as store:
        assert await store.vouchers.best(NodeId(7)) == voucher(7, max(order) * 10**21)
        assert await store.vouchers.best(NodeId(8)) is None
        await store.writer.execute(store.vouchers.keep(voucher(3, 5 * CAI)))
        assert [one.coordinator_node for one in await store.vouchers.all()] == [3, 7]
