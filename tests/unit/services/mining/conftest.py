import pytest

from cuckoo.storage.store import open_store
from tests.support.mining import Clock, Coordinator, Network


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def network(tmp_path, clock):
    async with open_store(tmp_path / "miner", clock=clock.now) as store:
        yield Network(store, clock)


@pytest.fixture
def another_coordinator(clock):
    return lambda node_id, **how: Coordinator(clock, node_id, **how)
