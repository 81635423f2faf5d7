"""The chain client against a real anvil."""

import asyncio
import secrets
import socket

import msgspec
import pytest

from cuckoo.chain.contracts import TokenContract
from cuckoo.chain.deployment import read_network
from cuckoo.chain.devnet import find_anvil, running_devnet
from cuckoo.chain.reverts import Reverted
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.seedblocks import seed_block
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ChainUnreachable, ConfigError, FatalError
from cuckoo.domain.network import DEVNET


async def test_connect__another_chain_id__is_refused(network):
    with pytest.raises(ConfigError, match=r"serves chain 31337.*says 1: name another"):
        await ChainClient.connect(msgspec.structs.replace(network, chain_id=1))


async def test_connect__no_contract_there__says_the_file_is_old(network):
    with pytest.raises(ConfigError, match="no contract at 0x0000"):
        await ChainClient.connect(msgspec.structs.replace(network, staking="0x" + "0" * 39 + "1"))


async def test_connect__nobody_answers__is_transient(network):
    with pytest.raises(ChainUnreachable, match="no RPC endpoint"):
        await ChainClient.connect(network, ["http://127.0.0.1:9"])


async def test_run__first_endpoint_is_dead__next_one_answers(network):
    async with await ChainClient.connect(network, ["http://127.0.0.1:9", *network.rpc_urls]) as client:
        assert (await client.block()).number > 0


async def test_send__fifty_at_once__each_has_its_own_nonce(chain):
    person = await chain.person()
    token = TokenContract(chain.client)
    receipts = await asyncio.gather(*(token.transfer(person.sender, chain.payer.address, 1) for _ in range(50)))
    sent = [await chain.client.web3.eth.get_transaction(receipt["transactionHash"]) for receipt in receipts]
    assert sorted(transaction["nonce"] for transaction in sent) == list(range(50))


async def test_send__no_gas__names_the_faucet(chain):
    poor = Sender(chain.client, secrets.token_bytes(32))
    with pytest.raises(ConfigError, match="too little native coin for gas"):
        await TokenContract(chain.client).approve(poor, chain.payer.address, 1)


async def test_revert__custom_error__is_named_with_arguments(chain):
    person = await chain.person()
    with pytest.raises(Reverted) as caught:
        await chain.staking.unstake(person.sender, 5 * CAI)
    assert caught.value.name == "IdleStakeTooLow"
    assert caught.value.arguments == {"required": 5 * CAI, "actual": 0}
    assert "cuckoo stake deposit 5" in str(caught.value)


async def test_parameters__as_deployed__are_the_devnets(chain):
    read = await chain.client.run(
        lambda web3: (
            web3.eth.contract(chain.client.network.staking, abi=chain.staking._contract.abi)
            .functions.parameters()
            .call()
        ),
    )
    assert tuple(read) == msgspec.structs.astuple(DEVNET)


async def test_seed_block__tip_just_committed__is_none_until_the_next_block_is_final(chain):
    latest = await chain.client.block()
    assert await seed_block(chain.client, latest.timestamp, latest.number) is None
    await chain.pass_time(1)
    await chain.pass_time(1)
    await chain.pass_time(1)
    found = await seed_block(chain.client, latest.timestamp, latest.number)
    assert found.number == latest.number + 1


async def test_seed_block__long_after_the_tip__is_the_last_one_before_start_minus_lead(chain):
    for _ in range(6):
        await chain.pass_time(5)
    final = await chain.client.block("finalized")
    start = final.timestamp + 3
    found = await seed_block(chain.client, start, 1)
    target = start - DEVNET.draw_lead
    assert found.timestamp <= target
    assert (await chain.client.block(found.number + 1)).timestamp > target


async def test_devnet__ends__leaves_nothing_behind(tmp_path):
    async with running_devnet(0, tmp_path / "n.json") as devnet:
        network = read_network(tmp_path / "n.json")
        assert network == devnet.network
    with pytest.raises(ChainUnreachable):
        await ChainClient.connect(network)


async def test_devnet__port_taken__is_a_config_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            async with running_devnet(port, tmp_path / "n.json"):
                pass


async def test_devnet__anvil_dies__wait_raises(tmp_path):
    async with running_devnet(0, tmp_path / "n.json") as devnet:
        devnet._process.kill()
        with pytest.raises(FatalError, match="anvil ended"):
            await devnet.wait()


def test_find_anvil__named_wrongly__says_what_to_do(monkeypatch):
    monkeypatch.setenv("CUCKOO_ANVIL", "/nowhere/anvil")
    with pytest.raises(ConfigError, match="make install"):
        find_anvil()


def test_read_network__not_there_or_broken__says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="cuckoo devnet"):
        read_network(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ConfigError, match="missing required field"):
        read_network(tmp_path / "bad.json")


async def test_requests__many_cancelled_at_any_moment__the_next_one_is_answered(chain):
    # web3 guards its sessions by a lock of the whole process, which a request that is cancelled meanwhile never gives
    # back: every request after it would wait for ever.
    for turns in range(60):
        asked = [asyncio.create_task(chain.client.block()) for _ in range(8)]
        for _ in range(turns % 12):
            await asyncio.sleep(0)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    async with asyncio.timeout(10):
        assert (await chain.client.block()).number > 0
