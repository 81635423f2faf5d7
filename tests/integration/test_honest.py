"""A slice of `make cheats`: real pictures of honest miners, every one checked."""

from tests.bench.honest import real


async def test_real__same_profile_other_threads_and_batches__nobody_is_found_wrong():
    assert await real(12) == 0
