"""Deploying to a bare chain: the result, runs that stop midway, and what the check at the end finds."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cuckoo.chain.deploycheck import DeploymentWrong, Reader, check_deployment
from cuckoo.chain.deployment import deploy, journal_of, open_undeployed, read_network
from cuckoo.chain.deployplan import EMISSION, RESERVE, SUPPLY, Order, contract_address, plan_creations
from cuckoo.chain.devnet import DEPLOYER_KEY
from cuckoo.chain.reverts import Reverted
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ChainUnreachable, ConfigError, TransientError
from cuckoo.domain.network import DEVNET_RULES, MAIN_RULES, Network
from tests.support.chains import bare_chain, bare_client

GOVERNOR = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
GUARDIAN = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
TREASURY = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
ROOT = Path(__file__).parents[2]


def order_for(client, **changed):
    wanted = {
        "governor": GOVERNOR,
        "guardian": GUARDIAN,
        "treasury": TREASURY,
        "reserve": RESERVE,
        "emission": EMISSION,
        "faucet_native": None,
        "rules": client.network.rules,
    }
    return Order(**{**wanted, **changed})


class Stopped(Exception):
    pass


class Stopping(Sender):
    """A sender whose process ends after some transactions, before it learns of the last one."""

    left = 0

    async def send_raw(self, transaction, doing):
        if self.left == 0:
            raise Stopped
        self.left -= 1
        receipt = await super().send_raw(transaction, doing)
        if self.left == 0:
            raise Stopped
        return receipt


def run_cuckoo(*arguments, folder):
    environment = {**os.environ, "CUCKOO_DATA_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "cuckoo", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
        timeout=120,
    )


async def test_command__main_rules__writes_the_file_and_leaves_the_deployer_without_power(tmp_path):
    key = tmp_path / "deployer.key"
    key.write_text(DEPLOYER_KEY.hex())
    key.chmod(0o600)
    out = tmp_path / "networks" / "mine.json"
    async with bare_chain() as url:
        flags = ("--rpc", url, "--out", out, "--key", key, "--governor", GOVERNOR, "--guardian", GUARDIAN)
        done = await asyncio.to_thread(run_cuckoo, "deploy", *flags, "--treasury", TREASURY, "--json", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        network = read_network(out)
        told = json.loads(done.stdout)
        assert msgspec.convert(told["network"], Network) == network
        assert (network.name, network.chain_id, network.faucet, network.rules) == ("mine", 4242, None, MAIN_RULES)
        assert not journal_of(out).exists()
        assert "11 of 11" in done.stderr
        async with await open_undeployed("mine", [url]) as client:
            reader = Reader(client, network)
            assert await reader.read("CuckooToken", "balanceOf", TREASURY) == SUPPLY - RESERVE
            sender = Sender(client, DEPLOYER_KEY)
            for function, arguments in (
                ("setEmissionRate", (1,)),
                ("setGuardian", (sender.address,)),
                ("pauseEntries", (60,)),
                ("transferOwnership", (sender.address,)),
            ):
                with pytest.raises(Reverted):
                    await sender.send(reader.call("Staking", function, *arguments), "try")
            nothing = (network.staking, 0, b"", bytes(32), bytes(32), MAIN_RULES.timelock_delay)
            with pytest.raises(Reverted):
                await sender.send(reader.call("Timelock", "schedule", *nothing), "try")
        again = await asyncio.to_thread(run_cuckoo, "deploy", *flags, folder=tmp_path)
        assert again.returncode == 2
        assert "is there already" in again.stderr


async def test_deploy__devnet_rules_and_faucet__all_facts_are_as_ordered(tmp_path):
    async with bare_client(31_337) as client:
        sender = Sender(client, DEPLOYER_KEY)
        told = []
        order = order_for(client, faucet_native=5 * 10**18, governor=sender.address, treasury=sender.address)
        deployed = await deploy(client, sender, order, progress=told.append)
        assert deployed.network.rules == DEVNET_RULES
        assert any(fact.what == "the CAI of the faucet (wei)" for fact in deployed.facts)
        assert told[0].startswith(" 1 of 12  created CuckooToken at ")


async def test_deploy__no_reserve_and_no_emission__is_possible(tmp_path):
    async with bare_client() as client:
        await deploy(client, Sender(client, DEPLOYER_KEY), order_for(client, reserve=0, emission=0))


async def test_deploy__stopped_after_any_transaction__goes_on_to_the_same_network(tmp_path):
    async with bare_client() as client:
        expected = (await deploy(client, Sender(client, DEPLOYER_KEY), order_for(client))).network
        sent = await client.web3.eth.get_transaction_count(Sender(client, DEPLOYER_KEY).address)
    for after in range(sent):
        async with bare_client() as client:
            journal = tmp_path / f"{after}.deploying"
            order = order_for(client)
            sender = Stopping(client, DEPLOYER_KEY)
            sender.left = after
            with pytest.raises(Stopped):
                await deploy(client, sender, order, journal=journal)
            network = (await deploy(client, Sender(client, DEPLOYER_KEY), order, journal=journal)).network
            assert network.staking == expected.staking
            assert await client.web3.eth.get_transaction_count(sender.address) == sent


async def stopped(client, journal, after):
    sender = Stopping(client, DEPLOYER_KEY)
    sender.left = after
    with pytest.raises(Stopped):
        await deploy(client, sender, order_for(client), journal=journal)


async def test_deploy__goes_on_with_another_order__is_refused(tmp_path):
    async with bare_client() as client:
        journal = tmp_path / "n.deploying"
        await stopped(client, journal, 2)
        with pytest.raises(ConfigError, match="ordered something else"):
            await deploy(client, Sender(client, DEPLOYER_KEY), order_for(client, guardian=TREASURY), journal=journal)


async def test_deploy__goes_on_with_another_key__is_refused(tmp_path):
    async with bare_client() as client:
        journal = tmp_path / "n.deploying"
        await stopped(client, journal, 2)
        with pytest.raises(ConfigError, match=r"is of a run on chain 4242 by 0xf39F.*delete it to start anew"):
            await deploy(client, Sender(client, b"\1" * 32), order_for(client), journal=journal)


async def test_deploy__key_used_for_something_else_meanwhile__is_refused_before_anything_lies_elsewhere(tmp_path):
    async with bare_client() as client:
        journal = tmp_path / "n.deploying"
        await stopped(client, journal, 2)
        sender = Sender(client, DEPLOYER_KEY)
        await sender.send_raw({"to": TREASURY, "value": 1}, "pay")
        with pytest.raises(ConfigError, match=r"create Staking: .* has sent 3 transactions where 2 were planned"):
            await deploy(client, sender, order_for(client), journal=journal)


async def test_deploy__journal_is_damaged__says_what_to_do(tmp_path):
    async with bare_client() as client:
        journal = tmp_path / "n.deploying"
        journal.write_text("{")
        with pytest.raises(ConfigError, match="delete it to start anew"):
            await deploy(client, Sender(client, DEPLOYER_KEY), order_for(client), journal=journal)


async def test_deploy__transaction_still_pending__waits_for_the_user(tmp_path):
    async with bare_client() as client:
        await client.web3.provider.make_request("evm_setAutomine", [False])
        sender = Sender(client, DEPLOYER_KEY)
        raw = {"from": sender.address, "to": TREASURY, "value": "0x1"}
        await client.web3.provider.make_request("eth_sendTransaction", [raw])
        with pytest.raises(TransientError, match=r"1 transactions of .* are in no block yet"):
            await deploy(client, sender, order_for(client))


async def test_deploy__gas_runs_out__goes_on_once_there_is_some(tmp_path):
    async with bare_client() as client:
        journal = tmp_path / "n.deploying"
        sender = Sender(client, b"\7" * 32)

        async def give(wei):
            await client.web3.provider.make_request("anvil_setBalance", [sender.address, hex(wei)])

        await give(3 * 10**15)
        with pytest.raises(ConfigError, match="too little native coin for gas"):
            await deploy(client, sender, order_for(client), journal=journal)
        await give(10**18)
        await deploy(client, sender, order_for(client), journal=journal)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"governor": TREASURY}, "PROPOSER_ROLE of the timelock"),
        ({"guardian": TREASURY}, "Staking.guardian"),
        ({"treasury": GUARDIAN}, "the CAI of"),
        ({"reserve": RESERVE + CAI}, "the reserve of the miners"),
        ({"emission": EMISSION * 2}, "the emission rate"),
    ],
)
async def test_check__order_was_another__names_what_is_wrong(changed, named):
    async with bare_client() as client:
        sender = Sender(client, DEPLOYER_KEY)
        order = order_for(client)
        network = (await deploy(client, sender, order)).network
        creations = plan_creations(order, sender.address, 0)
        with pytest.raises(DeploymentWrong, match=named):
            await check_deployment(client, network, order_for(client, **changed), creations, sender.address)


def with_one_parameter_off(rules):
    for group in ("parameters", "disputes"):
        part = getattr(rules, group)
        for name in part.__struct_fields__:
            changed = msgspec.structs.replace(part, **{name: getattr(part, name) + 1})
            yield name, msgspec.structs.replace(rules, **{group: changed})
    yield "thawS", msgspec.structs.replace(rules, escrow_thaw=rules.escrow_thaw + 1)
    yield "getMinDelay", msgspec.structs.replace(rules, timelock_delay=rules.timelock_delay + 1)


async def test_check__one_parameter_off__is_named(deployed):
    client, network, order, creations, deployer = deployed
    for name, rules in with_one_parameter_off(order.rules):
        wrong = msgspec.structs.replace(order, rules=rules)
        with pytest.raises(DeploymentWrong) as caught:
            await check_deployment(client, network, wrong, creations, deployer)
        (problem,) = caught.value.problems
        assert problem.partition(" ")[0].endswith(name)


async def test_check__address_swapped__is_found(deployed):
    client, network, order, creations, deployer = deployed
    for name in ("token", "timelock", "staking", "escrow", "disputes", "randomness"):
        wrong = msgspec.structs.replace(network, **{name: TREASURY})
        with pytest.raises((ConfigError, TransientError)):
            await check_deployment(client, wrong, order, creations, deployer)


async def test_check__other_code__is_found(deployed):
    client, network, order, creations, deployer = deployed
    code = (await client.web3.eth.get_code(network.escrow)).hex()
    tampered = code[:200] + ("0" if code[200] != "0" else "1") + code[201:]
    await client.web3.provider.make_request("anvil_setCode", [network.escrow, "0x" + tampered.removeprefix("0x")])
    try:
        with pytest.raises(DeploymentWrong, match=r"the code at .* is other code and should be Escrow"):
            await check_deployment(client, network, order, creations, deployer)
    finally:
        await client.web3.provider.make_request("anvil_setCode", [network.escrow, "0x" + code.removeprefix("0x")])


@pytest.fixture
async def deployed():
    async with bare_client() as client:
        sender = Sender(client, DEPLOYER_KEY)
        order = order_for(client)
        network = (await deploy(client, sender, order)).network
        yield client, network, order, plan_creations(order, sender.address, 0), sender.address


async def test_contract_address__any_nonce__is_where_the_chain_puts_it():
    async with bare_client() as client:
        sender = Sender(client, DEPLOYER_KEY)
        for nonce in (0, 1, 127, 128, 255, 256, 70_000):
            await client.web3.provider.make_request("anvil_setNonce", [sender.address, hex(nonce)])
            receipt = await sender.send_raw({"data": "0x00"}, "create")
            assert receipt["contractAddress"] == contract_address(sender.address, nonce)


async def test_open_undeployed__nobody_answers__names_the_flag():
    with pytest.raises(ChainUnreachable, match="name one with --rpc"):
        await open_undeployed("none", ["http://127.0.0.1:9"])


async def test_open_undeployed__first_endpoint_is_dead__next_one_is_asked():
    async with bare_chain() as url, await open_undeployed("two", ["http://127.0.0.1:9", url]) as client:
        assert client.network.chain_id == 4242
        assert (await client.block()).number == 0
