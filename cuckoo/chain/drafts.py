"""Transactions written down instead of sent: for wallets in browsers, and to show what would happen."""

from typing import Any

import msgspec
from hexbytes import HexBytes
from web3.contract.async_contract import AsyncContractFunction
from web3.types import TxParams, TxReceipt

from cuckoo.chain.answers import RequestRefused
from cuckoo.chain.reverts import Reverted
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.domain.identifiers import Address


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction that is not sent.

    Attributes:
        doing: what it does: "vote for node 3".
        contract, to: whose function it calls.
        function, arguments: as the contract's source names them, written for people.
        data: what a wallet signs.
        gas: as the chain estimates it now; None where it depends on the steps before.
    """

    doing: str
    contract: str
    to: Address
    function: str
    arguments: dict[str, str]
    data: bytes
    gas: int | None


class Draft:
    """Stands in for a :class:`cuckoo.chain.transactions.Sender`, and writes down what that would send.

    Attributes:
        address: whose transactions they are.
        steps: so far, in order.
    """

    def __init__(self, client: ChainClient, address: Address) -> None:
        """Take the chain, which is asked whether the first step would pass, and whose wallet it is."""
        self._client = client
        self.address = address
        self.steps: list[Step] = []
        network = client.network
        self._names = {
            network.token: "CuckooToken",
            network.staking: "Staking",
            network.escrow: "Escrow",
            network.disputes: "Disputes",
            network.faucet: "Faucet",
        }

    async def send(self, call: AsyncContractFunction, doing: str, *, once: str = "") -> TxReceipt:  # noqa: ARG002
        """Write a call down; the answer is that of a transaction in which nothing happened.

        Raises:
            Reverted: the contract would refuse the first step.
        """
        to, data = Address(str(call.address)), HexBytes(call._encode_transaction_data())  # noqa: SLF001
        request: TxParams = {"from": on_chain(self.address), "to": on_chain(to), "data": data}
        gas = None
        try:
            gas = await self._client.run(lambda web3: web3.eth.estimate_gas(request), doing=doing)
        except (Reverted, RequestRefused):
            if not self.steps:
                raise
        self.steps.append(
            Step(
                doing=doing,
                contract=self._names.get(to, "contract"),
                to=to,
                function=call.fn_name,
                arguments=_named(call.abi["inputs"], call.args),
                data=bytes(data),
                gas=gas,
            )
        )
        receipt: Any = {"transactionHash": HexBytes(32), "blockNumber": 0, "gasUsed": 0, "status": 1, "logs": []}
        answer: TxReceipt = receipt
        return answer


def _named(inputs: Any, values: Any) -> dict[str, str]:
    """Write arguments under their names; those of a struct as if they were its function's own."""
    found: dict[str, str] = {}
    for described, value in zip(inputs, values, strict=True):
        if described["type"] == "tuple":
            found |= _named(described["components"], value)
        else:
            found[described["name"]] = "0x" + value.hex() if isinstance(value, bytes) else str(value)
    return found
