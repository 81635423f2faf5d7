import errno
import os

import pytest

from cuckoo.domain.errors import Conflict, FatalError, NotFound
from cuckoo.storage.blobs import blob_hash
from cuckoo.storage.segments import MAGIC
from cuckoo.storage.store import open_store
from cuckoo.storage.writer import together

HOUR = 3_600.0


def files(directory):
    return sorted((directory / "blobs").glob("*.seg"))


async def index_size(store):
    return await store.reader.execute(lambda connection: connection.execute("SELECT count(*) FROM blobs").fetchone()[0])


async def test_put__then_get__same_bytes(store):
    data = os.urandom(20_000)
    digest = await store.writer.execute(store.blobs.put(data))
    assert digest == blob_hash(data)
    assert await store.blobs.get(digest) == data


async def test_put__empty__comes_back(store):
    assert await store.blobs.get(await store.writer.execute(store.blobs.put(b""))) == b""


async def test_put__on_disk__header_length_and_hash_before_data(store, directory):
    digest = await store.writer.execute(store.blobs.put(b"picture"))
    (segment,) = files(directory)
    assert segment.read_bytes() == MAGIC + (7).to_bytes(4, "big") + digest + b"picture"


async def test_get__unknown__not_found(store):
    with pytest.raises(NotFound, match="never here"):
        await store.blobs.get(bytes(32))


async def test_put__same_content_same_hour__stored_once(store, directory):
    for _ in range(2):
        await store.writer.execute(together(store.blobs.put(b"same"), store.blobs.put(b"same")))
    assert await index_size(store) == 1
    assert files(directory)[0].stat().st_size == 40 + 4


async def test_put__same_content_later__lives_as_long_as_its_newest_use(store, clock, directory):
    digest = await store.writer.execute(store.blobs.put(b"same"))
    clock.now += 2 * HOUR
    await store.writer.execute(store.blobs.put(b"same"))
    assert len(files(directory)) == 2
    assert await store.blobs.drop_before(clock.now) == 1
    assert await store.blobs.get(digest) == b"same"
    assert len(files(directory)) == 1


async def test_put__command_fails_afterwards__blob_is_not_there(store):
    def refuse(connection):
        raise Conflict("on purpose")

    with pytest.raises(Conflict):
        await store.writer.execute(together(store.blobs.put(b"undone"), refuse))
    with pytest.raises(NotFound):
        await store.blobs.get(blob_hash(b"undone"))
    digest = await store.writer.execute(store.blobs.put(b"undone"))
    assert await store.blobs.get(digest) == b"undone"


async def test_drop_before__hour_not_over__kept(store, clock):
    digest = await store.writer.execute(store.blobs.put(b"kept"))
    assert await store.blobs.drop_before(clock.now + HOUR - 1) == 0
    assert await store.blobs.get(digest) == b"kept"


async def test_drop_before__hour_over__file_and_index_gone(store, clock, directory):
    digest = await store.writer.execute(store.blobs.put(b"old"))
    assert await store.blobs.drop_before(clock.now + HOUR) == 1
    assert files(directory) == []
    assert await index_size(store) == 0
    with pytest.raises(NotFound):
        await store.blobs.get(digest)
    await store.writer.execute(store.blobs.put(b"old"))
    assert await store.blobs.get(digest) == b"old"


async def test_takedown__every_copy__zeroed_on_disk_and_never_stored_again(store, clock, directory):
    secret, other = b"taken down" * 10, b"stays"
    digest, kept = await store.writer.execute(together(store.blobs.put(secret), store.blobs.put(other)))
    clock.now += HOUR
    await store.writer.execute(store.blobs.put(secret))
    assert await store.writer.execute(store.blobs.takedown(digest)) == 2
    assert all(secret not in path.read_bytes() for path in files(directory))
    assert await store.blobs.get(kept) == other
    assert await store.writer.execute(store.blobs.put(secret)) == digest
    with pytest.raises(NotFound):
        await store.blobs.get(digest)
    assert all(secret not in path.read_bytes() for path in files(directory))


async def test_get__bit_flipped_on_disk__not_found(store, directory):
    digest = await store.writer.execute(store.blobs.put(b"picture"))
    (segment,) = files(directory)
    raw = bytearray(segment.read_bytes())
    raw[-1] ^= 1
    segment.write_bytes(raw)
    with pytest.raises(NotFound, match="damaged"):
        await store.blobs.get(digest)


async def test_recover__torn_tail__cut_and_written_over(directory, clock):
    async with open_store(directory, clock=clock) as store:
        first = await store.writer.execute(store.blobs.put(b"first"))
    (segment,) = files(directory)
    whole = segment.read_bytes()
    segment.write_bytes(whole + MAGIC + b"torn")
    async with open_store(directory, clock=clock) as store:
        assert segment.read_bytes() == whole
        second = await store.writer.execute(store.blobs.put(b"second"))
        assert await store.blobs.get(first) == b"first"
        assert await store.blobs.get(second) == b"second"


async def test_recover__segment_that_no_commit_knows__removed(directory, clock):
    async with open_store(directory, clock=clock):
        pass
    (directory / "blobs" / "00000012.seg").write_bytes(b"never committed")
    async with open_store(directory, clock=clock):
        assert files(directory) == []


async def test_recover__segment_too_short__lost_blob_is_named_and_the_rest_served(directory, clock):
    async with open_store(directory, clock=clock) as store:
        first = await store.writer.execute(store.blobs.put(b"first"))
        second = await store.writer.execute(store.blobs.put(b"second"))
    (segment,) = files(directory)
    os.truncate(segment, segment.stat().st_size - 1)
    async with open_store(directory, clock=clock) as store:
        assert await store.blobs.get(first) == b"first"
        with pytest.raises(NotFound):
            await store.blobs.get(second)
        third = await store.writer.execute(store.blobs.put(b"third"))
        assert await store.blobs.get(third) == b"third"


async def test_recover__file_gone__its_blobs_are_lost_only(directory, clock):
    async with open_store(directory, clock=clock) as store:
        digest = await store.writer.execute(store.blobs.put(b"gone"))
    files(directory)[0].unlink()
    async with open_store(directory, clock=clock) as store:
        with pytest.raises(NotFound):
            await store.blobs.get(digest)
        await store.writer.execute(store.blobs.put(b"gone"))
        assert await store.blobs.get(digest) == b"gone"


@pytest.mark.parametrize("call", ["os.pwrite", "_sync_data"])
async def test_put__disk_full__writer_stops_and_a_restart_is_clean(directory, clock, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    async with open_store(directory, clock=clock) as store:
        kept = await store.writer.execute(store.blobs.put(b"kept"))
        with monkeypatch.context() as patched:
            patched.setattr(f"cuckoo.storage.segments.{call}", full)
            with pytest.raises(FatalError, match="No space left"):
                await store.writer.execute(store.blobs.put(b"lost"))
        with pytest.raises(FatalError):
            await store.writer.execute(store.blobs.put(b"refused"))
    async with open_store(directory, clock=clock) as store:
        assert await store.blobs.get(kept) == b"kept"
        with pytest.raises(NotFound):
            await store.blobs.get(blob_hash(b"lost"))
        assert files(directory)[0].stat().st_size == 40 + 4
