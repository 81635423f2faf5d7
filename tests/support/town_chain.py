"""A local chain whose accounts need no keys, and the contracts on it, for tests that compare balances."""

import json
from pathlib import Path

from eth_abi import encode
from eth_account import Account
from web3 import HTTPProvider, Web3

from cuckoo.domain.keccak import keccak256
from cuckoo.protocol.eip712 import Domain, hash_operator_consent
from cuckoo.protocol.signing import Signer

ARTIFACTS = Path(__file__).resolve().parents[2] / "cuckoo" / "chain" / "artifacts"


class TownChain:
    """Sends for anybody; every answer comes with the time of its block."""

    def __init__(self, network):
        self.network = network
        self.web3 = Web3(HTTPProvider(network.rpc_urls[0]))
        self.rpc("anvil_autoImpersonateAccount", True)
        self.token = self._contract("CuckooToken", network.token)
        self.staking = self._contract("Staking", network.staking)
        self.escrow = self._contract("Escrow", network.escrow)
        self.disputes = self._contract("Disputes", network.disputes)
        self.domain = Domain(network.chain_id, network.staking)
        self.operators = {}
        self._people = 0

    def _contract(self, name, address):
        abi = json.loads((ARTIFACTS / f"{name}.json").read_bytes())["abi"]
        return self.web3.eth.contract(Web3.to_checksum_address(address), abi=abi)

    def rpc(self, method, *parameters):
        answer = self.web3.provider.make_request(method, list(parameters))
        assert "error" not in answer, answer
        return answer["result"]

    def send(self, who, call):
        """Send a call for an account; returns the receipt and the time of its block."""
        transaction = {
            "from": who,
            "to": call.address,
            "data": call.build_transaction({"gas": 1, "gasPrice": 0})["data"],
        }
        sent = self.web3.eth.send_transaction(transaction | {"gas": 5_000_000})
        receipt = self.web3.eth.wait_for_transaction_receipt(sent, poll_latency=0.002)
        if receipt["status"] != 1:
            call.call({"from": who})
            raise AssertionError(f"{call.fn_name} failed")
        return receipt, self.web3.eth.get_block(receipt["blockNumber"])["timestamp"]

    def pass_time(self, seconds):
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")

    @property
    def now(self):
        return self.web3.eth.get_block("latest")["timestamp"]

    def person(self, cai):
        """Make an account with gas, ``cai`` wei of CAI, and allowances for all contracts."""
        self._people += 1
        who = Account.from_key(keccak256(b"person %d" % self._people)).address
        self.rpc("anvil_setBalance", who, hex(10**20))
        treasury = self.network.faucet
        self.rpc("anvil_setBalance", treasury, hex(10**22))
        self.send(treasury, self.token.functions.transfer(who, cai))
        for contract in (self.staking, self.escrow, self.disputes):
            self.send(who, self.token.functions.approve(contract.address, 2**256 - 1))
        return who

    def registration(self, owner, role, amount, commission):
        """Describe a node with an operator key of its own."""
        key = Signer(keccak256(encode(["address", "uint256"], [owner, len(self.operators)])))
        self.rpc("anvil_setBalance", key.address, hex(10**20))
        deadline = self.now + 3_600
        consent = key.sign(self.domain.digest(hash_operator_consent(owner, role, key.address, deadline)))
        self.operators[len(self.operators) + 1] = key
        return (role, key.address, '{"name":"a node"}', commission, 5_000, amount, deadline, consent)

    def sign(self, node, struct_hash):
        return self.operators[node].sign(self.domain.digest(struct_hash))
