"""Many registered miners, by real transactions in large batches."""

import aiohttp
from eth_abi.abi import encode

from cuckoo.chain.contracts import StakingContract, TokenContract
from cuckoo.chain.devnet import DEPLOYER_KEY
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import MINER_MINIMUM, Wei
from cuckoo.domain.identifiers import Role
from cuckoo.domain.keccak import keccak256
from cuckoo.domain.node import Introduction, encode_introduction
from cuckoo.protocol.eip712 import Domain, hash_operator_consent
from cuckoo.protocol.signing import Signer

BATCH = 500
GAS = 700_000
_TYPES = "(uint8,address,string,uint16,uint16,uint256,uint256,bytes)"


async def register_miners(client, count):
    """Register miners of one owner, the first development account; each has its own operator and introduction.

    Afterwards the chain mines when a transaction comes, and no longer by the clock.
    """
    owner, network = Sender(client, DEPLOYER_KEY), client.network
    stake = Wei(count * MINER_MINIMUM)
    await TokenContract(client).approve(owner, network.staking, stake)
    await StakingContract(client).stake(owner, stake)
    deadline = (await client.block()).timestamp + 86_400
    calls = [_register(network, owner.address, number, deadline) for number in range(count)]
    nonce = await client.web3.eth.get_transaction_count(owner.address)
    limit = (await client.web3.eth.get_block("latest"))["gasLimit"]
    # A block that is mined while transactions arrive leaves some of them in anvil's queue for ever.
    await _batch(client, [("evm_setAutomine", [False])])
    await _batch(client, [("evm_setIntervalMining", [0])])
    await _batch(client, [("evm_setBlockGasLimit", [hex(BATCH * GAS)])])
    await _batch(client, [("evm_mine", [])])
    for first in range(0, count, BATCH):
        transactions = [
            {"from": owner.address, "to": network.staking, "data": data, "gas": hex(GAS), "nonce": hex(nonce + number)}
            for number, data in enumerate(calls[first : first + BATCH], first)
        ]
        await _batch(client, [("eth_sendTransaction", [one]) for one in transactions])
        await _batch(client, [("evm_mine", [])])
    assert await client.web3.eth.get_transaction_count(owner.address) == nonce + count
    await _batch(client, [("evm_setBlockGasLimit", [hex(limit)])])
    await _batch(client, [("evm_setAutomine", [True])])
    await _batch(client, [("evm_mine", [])])


def _register(network, owner, number, deadline):
    operator = Signer(keccak256(f"operator {number}".encode()))
    consent = hash_operator_consent(owner, Role.MINER, operator.address, deadline)
    signature = operator.sign(Domain(network.chain_id, network.staking).digest(consent))
    introduction = encode_introduction(Introduction(name=f"miner {number}", text="One of many."))
    row = (int(Role.MINER), operator.address, introduction, 1_000, 2_000, MINER_MINIMUM, deadline, signature)
    return "0x" + (keccak256(f"register({_TYPES})".encode())[:4] + encode([_TYPES], [row])).hex()


async def _batch(client, calls):
    """Send many requests at once; raises when one is refused."""
    requests = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        for number, (method, parameters) in enumerate(calls)
    ]
    timeout = aiohttp.ClientTimeout(total=300)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(client.network.rpc_urls[0], json=requests) as response,
    ):
        answers = await response.json()
    refused = [answer for answer in answers if "error" in answer]
    assert not refused, refused[:3]
