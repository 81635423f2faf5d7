"""The staker role as a process runs it, on the real chain; and what a role says to a node that is not eligible."""

import asyncio
import secrets

import pytest
import structlog

from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.network import DEVNET
from cuckoo.domain.node import Introduction
from cuckoo.domain.settings import StakerSettings
from cuckoo.protocol.signing import Signer
from cuckoo.roles.chain import open_chain, require_node
from cuckoo.roles.compose import run_on_chain
from cuckoo.roles.staker import open_staker
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.wallet import Wallet, drip


async def registered_miner(chain):
    owner = await chain.person()
    await owner.deposit(20_000 * CAI)
    new = NewNode(role=Role.MINER, introduction=Introduction(name="a miner"), amount=20_000 * CAI)
    operator = Signer(secrets.token_bytes(32))
    return owner, operator, (await Registration(chain.client, owner.sender).register(new, operator)).node_id


async def until(condition):
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the chain has no event to wait for
            await asyncio.sleep(0.05)


async def test_staker__matured_stake_and_a_node_without_weight__released_and_reported(chain, network, tmp_path):
    owner, _, node_id = await registered_miner(chain)
    key = secrets.token_bytes(32)
    sender = Sender(chain.client, key)
    await drip(chain.client, chain.payer, sender.address)
    voter = Wallet(chain.client, sender.address, sender)
    await voter.deposit(300 * CAI)
    await voter.vote(node_id, 300 * CAI)
    await voter.unvote(node_id, 100 * CAI)
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(
            run_on_chain(
                network,
                (),
                [("staker", lambda c: open_staker(c, key, tmp_path, StakerSettings(interval_s=0.2, port=0)))],
                grace_s=5,
                stop=stop,
            )
        )
        await owner.unvote(node_id, 1 * CAI)
        await chain.pass_time(DEVNET.unbonding + 2 * DEVNET.release_bucket)

        async def released():
            return (await voter.portfolio()).idle_wei >= 99 * CAI

        async def reported():
            return any("carries no weight" in entry["event"] for entry in logs)

        await until(released)
        await until(reported)
        stop.set()
        await running


async def test_require_node__real_registry__eligible_or_told_why_not(chain, network):
    owner, operator, node_id = await registered_miner(chain)
    async with open_chain(network) as connected:
        assert (await require_node(connected, Role.MINER, operator.address)).node_id == node_id
        with pytest.raises(ConfigError, match="operator of no registered node"):
            await require_node(connected, Role.MINER, Signer(secrets.token_bytes(32)).address)
        await owner.unvote(node_id, 500 * CAI)
        await connected.registry.advance()
        with pytest.raises(ConfigError, match=f"it needs 20,000: cuckoo stake vote {node_id} 500"):
            await require_node(connected, Role.MINER, operator.address)
