"""A real local chain for the whole session, and funded people on it."""

import itertools

import pytest
import pytest_asyncio

from cuckoo.chain.devnet import DEPLOYER_KEY, running_devnet
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from tests.support.anvil import Chain

_names = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def network(tmp_path_factory):
    async with running_devnet(0, tmp_path_factory.mktemp("devnet") / "network.json") as devnet:
        yield devnet.network


@pytest.fixture
async def chain(network):
    async with await ChainClient.connect(network) as client:
        yield Chain(client, Sender(client, DEPLOYER_KEY))
