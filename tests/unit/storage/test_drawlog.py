import pytest

from cuckoo.domain.errors import Conflict, NotFound
from cuckoo.storage.records import LogChunk, PeriodSeed, SeedTip

TIP = SeedTip(tip=b"t" * 32, secret=b"s" * 32, created_at=1.0)


def chunk(first_row, row_count, first_draw, draw_count, *, period=5, tip=TIP.tip):
    return LogChunk(
        tip=tip,
        period=period,
        first_row=first_row,
        row_count=row_count,
        first_draw=first_draw,
        draw_count=draw_count,
        rows=bytes(row_count),
        head=bytes([first_row + row_count]) * 32,
    )


def seed(period=5, value=b"e", tip=TIP.tip):
    return PeriodSeed(tip=tip, period=period, seed=value * 32, block=9, block_hash=b"b" * 32)


@pytest.fixture
async def draws(store):
    await store.writer.execute(store.draws.record_tip(TIP))
    return store.draws


async def test_record_tip__again_after_the_commit__block_and_period_known(store, draws):
    committed = SeedTip(tip=TIP.tip, secret=TIP.secret, created_at=2.0, first_period=4, block=77)
    await store.writer.execute(draws.record_tip(committed))
    await store.writer.execute(draws.record_tip(TIP))
    assert await draws.tips() == [SeedTip(tip=TIP.tip, secret=TIP.secret, created_at=1.0, first_period=4, block=77)]


async def test_record_tip__other_secret__conflict(store, draws):
    with pytest.raises(Conflict):
        await store.writer.execute(draws.record_tip(SeedTip(tip=TIP.tip, secret=b"x" * 32, created_at=1.0)))


async def test_append__consecutive__last_chunk_has_the_head(store, draws):
    assert await draws.last(TIP.tip) is None
    first, second = chunk(0, 3, 0, 1), chunk(3, 2, 1, 2)
    await store.writer.execute(draws.append(first))
    await store.writer.execute(draws.append(second))
    assert await draws.last(TIP.tip) == second


@pytest.mark.parametrize(
    "wrong", [chunk(2, 1, 1, 0), chunk(4, 1, 1, 0), chunk(3, 1, 0, 1), chunk(3, 1, 2, 1), chunk(3, 1, 1, 0, period=4)]
)
async def test_append__gap_overlap_or_earlier_period__conflict(store, draws, wrong):
    await store.writer.execute(draws.append(chunk(0, 3, 0, 1)))
    with pytest.raises(Conflict, match="next are row 3, draw 1, period 5 or later"):
        await store.writer.execute(draws.append(wrong))


@pytest.mark.parametrize("wrong", [chunk(1, 1, 0, 0), chunk(0, 1, 1, 0)])
async def test_append__first_does_not_start_at_zero__conflict(store, draws, wrong):
    with pytest.raises(Conflict):
        await store.writer.execute(draws.append(wrong))


async def test_append__unknown_tip__not_found(store, draws):
    with pytest.raises(NotFound):
        await store.writer.execute(draws.append(chunk(0, 1, 0, 0, tip=b"u" * 32)))


async def test_chunk_of_draw__any_index__the_chunk_that_holds_it(store, draws):
    chunks = [chunk(0, 3, 0, 2), chunk(3, 1, 2, 0), chunk(4, 2, 2, 1)]
    for part in chunks:
        await store.writer.execute(draws.append(part))
    assert [await draws.chunk_of_draw(TIP.tip, index) for index in range(3)] == [chunks[0], chunks[0], chunks[2]]
    with pytest.raises(NotFound):
        await draws.chunk_of_draw(TIP.tip, 3)


async def test_period__two_tips__each_with_seed_chunks_and_head_before(store, draws):
    other = SeedTip(tip=b"u" * 32, secret=b"v" * 32, created_at=2.0)
    parts = [chunk(0, 1, 0, 0, period=4), chunk(1, 2, 0, 1, period=5), chunk(3, 1, 1, 1, period=5)]
    restarted = chunk(0, 1, 0, 1, period=5, tip=other.tip)
    for command in (
        draws.record_tip(other),
        draws.record_period(seed()),
        draws.record_period(seed(tip=other.tip)),
        *(draws.append(part) for part in (*parts, restarted)),
        draws.append(chunk(4, 1, 2, 0, period=6)),
    ):
        await store.writer.execute(command)
    first, second = await draws.period(5)
    assert (first.tip, first.seed, first.previous_head, first.chunks) == (TIP, seed(), parts[0].head, tuple(parts[1:]))
    assert (second.tip, second.seed, second.previous_head) == (other, seed(tip=other.tip), None)
    assert second.chunks == (restarted,)
    (without_seed,) = await draws.period(4)
    assert without_seed.seed is None
    assert await draws.period(7) == []


async def test_record_period__other_seed__conflict(store, draws):
    await store.writer.execute(draws.record_period(seed()))
    await store.writer.execute(draws.record_period(seed()))
    with pytest.raises(Conflict, match="of block 9"):
        await store.writer.execute(draws.record_period(seed(value=b"f")))


async def test_record_period__unknown_tip__not_found(store):
    with pytest.raises(NotFound):
        await store.writer.execute(store.draws.record_period(seed()))


async def test_forget_before__old_periods__gone_but_the_head_stays(store, draws):
    for command in (
        draws.record_period(seed(3)),
        draws.record_period(seed(5)),
        draws.append(chunk(0, 1, 0, 0, period=3)),
        draws.append(chunk(1, 1, 0, 1, period=4)),
        draws.append(chunk(2, 1, 1, 1, period=5)),
    ):
        await store.writer.execute(command)
    assert await store.writer.execute(draws.forget_before(5)) == 1
    assert await draws.period(3) == []
    (kept,) = await draws.period(5)
    assert kept.previous_head == chunk(1, 1, 0, 1).head
    await store.writer.execute(draws.append(chunk(3, 1, 2, 0, period=5)))
