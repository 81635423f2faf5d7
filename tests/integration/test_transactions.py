"""Transactions that get stuck, lost, refused, thrown out, or whose process is killed, on a real chain."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

import cuckoo
from cuckoo.chain import endpoints, transactions
from cuckoo.chain.answers import RequestRefused
from cuckoo.chain.deployment import undeployed
from cuckoo.chain.devnet import DEPLOYER_KEY
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import NonceTaken, Sender, TransactionPending, raised
from cuckoo.domain.errors import ConfigError, FatalError
from cuckoo.domain.network import DEVNET_RULES
from tests.support.chains import bare_chain
from tests.support.endpoints import Proxy

CHILD = Path(__file__).with_name("sender_child.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cuckoo.__file__).parent.parent)}
TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SEND = "eth_sendRawTransaction"


class Meddling(Proxy):
    """Does something before or after it passes on some of the transactions that are sent through it."""

    before = None
    after = None

    async def answer(self, request):
        if request["method"] == SEND:
            if self.before is not None and (answer := await self.before(request)) is not None:
                return answer
            if self.after is not None:
                answer = await self.pass_on(request)
                return await self.after(request) or answer
        return await self.pass_on(request)

    @property
    def sent(self):
        """What was sent: a dictionary of each transaction's fields, in order."""
        raw = [HexBytes(parameters[0]) for method, parameters in self.asked if method == SEND]
        return [TypedTransaction.from_bytes(one).as_dict() for one in raw]


@asynccontextmanager
async def meddled(*flags):
    """Run a bare chain behind a proxy; gives the proxy."""
    async with bare_chain(4242, *flags) as url, Meddling(url).running() as proxy:
        yield proxy


def client_of(url, outbox=None):
    return ChainClient(undeployed("bare", 4242, (url,), DEVNET_RULES), outbox=outbox)


async def ask(client, method, *parameters):
    return (await client.web3.provider.make_request(method, list(parameters)))["result"]


def pay(sender, value=1):
    return sender.send_raw({"to": TO, "value": value}, f"pay {value}")


def refusing(request, message):
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": message}}


async def mined(client, sender):
    """Return the transactions of an account on the chain: (nonce, value), in order."""
    newest = (await client.block()).number
    blocks = [await client.web3.eth.get_block(number, full_transactions=True) for number in range(newest + 1)]
    return [(t["nonce"], t["value"]) for b in blocks for t in b["transactions"] if t["from"] == sender.address]


async def test_send__stuck__is_replaced_with_both_fees_an_eighth_higher(monkeypatch):
    async with meddled("--no-mining") as proxy, client_of(proxy.url) as client:
        sender = Sender(client, DEPLOYER_KEY, stuck_s=0.05)
        sending = asyncio.create_task(pay(sender))
        await proxy.until(SEND, 3)
        await ask(client, "evm_mine")
        receipt = await sending
        first, second, third = proxy.sent[:3]
        for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
            assert second[name] == raised(first[name])
            assert third[name] == raised(second[name])
        fixed = ("nonce", "to", "value", "data", "gas", "chainId")
        assert {tuple(one[name] for name in fixed) for one in proxy.sent} == {tuple(first[name] for name in fixed)}
        assert receipt["status"] == 1
        assert await mined(client, sender) == [(0, 1)]


@pytest.mark.parametrize(("fee", "higher"), [(0, 0), (1, 2), (8, 9), (9, 11), (1_000_000_000, 1_125_000_000)])
def test_raised__any_fee__is_an_eighth_more_rounded_up(fee, higher):
    assert raised(fee) == higher


async def test_send__base_fee_rises_tenfold__is_replaced_at_what_is_due_now():
    async with meddled("--no-mining") as proxy, client_of(proxy.url) as client:
        sender = Sender(client, DEPLOYER_KEY, stuck_s=0.5)
        sending = asyncio.create_task(pay(sender))
        await proxy.until(SEND, 1)
        base = (await client.block()).base_fee_wei * 10
        await ask(client, "anvil_setNextBlockBaseFeePerGas", hex(base))
        await ask(client, "evm_mine")
        assert await mined(client, sender) == []
        await proxy.until(SEND, 2)
        await proxy.until("eth_getTransactionReceipt", proxy.count("eth_getTransactionReceipt") + 1)
        await ask(client, "evm_mine")
        assert (await sending)["status"] == 1
        assert proxy.sent[1]["maxFeePerGas"] >= 2 * base


async def test_send__several_stuck__only_the_first_in_line_is_replaced():
    async with meddled("--no-mining") as proxy, client_of(proxy.url) as client:
        sender = Sender(client, DEPLOYER_KEY, stuck_s=0.1)
        await client.genesis()
        sending = asyncio.gather(*(pay(sender, value) for value in (1, 2, 3)))
        await proxy.until(SEND, 8)
        await ask(client, "evm_mine")
        await sending
        assert await mined(client, sender) == [(0, 1), (1, 2), (2, 3)]
        fees = {nonce: {one["maxFeePerGas"] for one in proxy.sent if one["nonce"] == nonce} for nonce in range(3)}
        assert len(fees[0]) > 1
        assert len(fees[1]) == len(fees[2]) == 1


async def test_send__endpoint_takes_it_and_loses_it__is_sent_again():
    async with meddled() as proxy, client_of(proxy.url) as client:

        async def swallow(request):
            proxy.before = None
            return {"jsonrpc": "2.0", "id": request["id"], "result": "0x" + "11" * 32}

        proxy.before = swallow
        sender = Sender(client, DEPLOYER_KEY, stuck_s=0.1)
        assert (await pay(sender))["status"] == 1
        assert await mined(client, sender) == [(0, 1)]


async def test_send__answer_is_lost__is_carried_out_once(monkeypatch):
    monkeypatch.setattr(endpoints, "REQUEST_TIMEOUT_S", 0.3)
    async with meddled() as proxy, client_of(proxy.url) as client:

        async def hang(_):
            proxy.after = None
            await asyncio.Event().wait()

        proxy.after = hang
        sender = Sender(client, DEPLOYER_KEY)
        assert (await pay(sender))["status"] == 1
        assert await mined(client, sender) == [(0, 1)]


async def test_send__refused__gives_the_nonce_back():
    async with meddled() as proxy, client_of(proxy.url) as client:

        async def refuse(request):
            proxy.before = None
            return refusing(request, "we do not like it")

        proxy.before = refuse
        sender = Sender(client, DEPLOYER_KEY)
        with pytest.raises(RequestRefused, match="pay 1: the RPC endpoint says: we do not like it"):
            await pay(sender)
        await pay(sender, 2)
        assert await mined(client, sender) == [(0, 2)]


async def test_send__another_program_uses_the_nonce_meanwhile__says_that_it_was_not_done():
    async with meddled() as proxy, client_of(proxy.url) as client, client_of(proxy.upstream) as other:

        async def overtake(_):
            proxy.before = None
            await pay(Sender(other, DEPLOYER_KEY), 7)

        proxy.before = overtake
        sender = Sender(client, DEPLOYER_KEY, stuck_s=0.1)
        with pytest.raises(NonceTaken, match="pay 1: not done: another program with the key"):
            await pay(sender)
        await pay(sender, 2)
        assert await mined(client, sender) == [(0, 7), (1, 2)]


async def test_send__nothing_is_mined_for_long__says_that_it_may_still_get_there(monkeypatch):
    monkeypatch.setattr(transactions, "RECEIPT_TIMEOUT_S", 0.3)
    async with meddled("--no-mining") as proxy, client_of(proxy.url) as client:
        sender = Sender(client, DEPLOYER_KEY)
        with pytest.raises(TransactionPending, match="may still get there"):
            await pay(sender)
        await ask(client, "evm_mine")
        assert await mined(client, sender) == [(0, 1)]


async def test_send__reorganisation_throws_it_out__goes_out_again_before_the_next_one():
    async with meddled() as proxy, client_of(proxy.url) as client:
        sender = Sender(client, DEPLOYER_KEY)
        await client.genesis()
        snapshot = await ask(client, "evm_snapshot")
        await pay(sender)
        await pay(sender, 2)
        await ask(client, "evm_revert", snapshot)
        assert await mined(client, sender) == []
        async with asyncio.timeout(transactions.STUCK_S / 2):
            await pay(sender, 3)
        assert await mined(client, sender) == [(0, 1), (1, 2), (2, 3)]


async def test_send__two_processes_with_one_outbox__share_the_nonces(tmp_path):
    outbox = tmp_path / "outbox.sqlite"
    async with bare_chain() as url, client_of(url, outbox) as one, client_of(url, outbox) as other:
        senders = [Sender(one, DEPLOYER_KEY), Sender(other, DEPLOYER_KEY)]
        await asyncio.gather(*(pay(senders[value % 2], value) for value in range(1, 31)))
        found = await mined(one, senders[0])
        assert [nonce for nonce, _ in found] == list(range(30))
        assert {value for _, value in found} == set(range(1, 31))


async def test_send__many_final_ones__leave_the_outbox(tmp_path, monkeypatch):
    monkeypatch.setattr(transactions, "OUTBOX_ROWS", 4)
    monkeypatch.setattr(transactions, "KEEP_S", 0.0)
    async with bare_chain(4242, "--slots-in-an-epoch", "1") as url, client_of(url, tmp_path / "outbox") as client:
        sender = Sender(client, DEPLOYER_KEY)
        for value in range(1, 20):
            await pay(sender, value)
        account = transactions.Account(genesis=await client.genesis(), address=sender.address)
        assert client.outbox.count(account) <= 6
        assert len(await mined(client, sender)) == 19


async def test_send__outbox_can_not_be_written__nothing_is_sent(tmp_path):
    async with meddled() as proxy, client_of(proxy.url, tmp_path) as client:
        with pytest.raises(FatalError, match="can not be used"):
            await pay(Sender(client, DEPLOYER_KEY))
        assert proxy.sent == []


async def test_send__chain_began_anew_under_the_same_id__nothing_of_the_old_one_is_sent_to_it(tmp_path):
    outbox = tmp_path / "outbox.sqlite"
    async with bare_chain() as url, client_of(url, outbox) as client:
        await pay(Sender(client, DEPLOYER_KEY))
    async with bare_chain(4242, "--timestamp", "1700000000") as url, client_of(url, outbox) as client:
        sender = Sender(client, DEPLOYER_KEY)
        await pay(sender, 2)
        assert await mined(client, sender) == [(0, 2)]


async def test_send__too_little_for_gas__is_said_and_the_nonce_stays_free():
    async with meddled() as proxy, client_of(proxy.url) as client:

        async def refuse(request):
            proxy.before = None
            return refusing(request, "insufficient funds for gas * price + value")

        proxy.before = refuse
        sender = Sender(client, DEPLOYER_KEY)
        with pytest.raises(ConfigError, match="too little native coin"):
            await pay(sender)
        assert (await pay(sender))["status"] == 1


async def test_kill_9__around_sending__no_nonce_serves_two_transactions_and_none_is_lost(tmp_path):
    """Kill the sending process when a transaction is recorded but not sent, and when it is sent but not known to be."""
    outbox = tmp_path / "outbox.sqlite"
    paid = []
    async with meddled() as proxy, client_of(proxy.upstream, outbox) as client:
        environment = {**ENVIRONMENT, "SENDER_KEY": DEPLOYER_KEY.hex()}
        for number, place in enumerate(("after", "before", "after", "before")):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, str(CHILD), proxy.url, str(outbox)), stdout=asyncio.subprocess.PIPE, env=environment
            )
            left = 3 + 2 * number

            async def kill(request, child=child):
                nonlocal left
                left -= 1
                if left > 0:
                    return None
                if child.returncode is None and left == 0:
                    child.kill()
                    await child.wait()
                return refusing(request, "the one who asks is dead")

            setattr(proxy, place, kill)
            output, _ = await child.communicate()
            assert child.returncode == -9
            setattr(proxy, place, None)
            paid += [line.split()[1] for line in output.decode().splitlines() if line.startswith("paid ")]
        sender = Sender(client, DEPLOYER_KEY)
        async with asyncio.timeout(transactions.STUCK_S / 2):
            await pay(sender)
        chain = await mined(client, sender)
        assert [nonce for nonce, _ in chain] == list(range(len(chain)))
        recorded = transactions.Account(genesis=await client.genesis(), address=sender.address)
        assert client.outbox.count(recorded) == len(chain)
        assert paid
        for to in paid:
            assert await client.native_balance(client.web3.to_checksum_address(to)) == 1
    contents = {(one["nonce"], one["to"]) for one in proxy.sent}
    assert len({nonce for nonce, _ in contents}) == len(contents)
