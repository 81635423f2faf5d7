"""Send transactions: one nonce after the other, EIP-1559 fees, receipts, and why one was refused."""

import asyncio
from typing import Any

import structlog
from eth_account import Account
from web3.contract.async_contract import AsyncContractFunction
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import Nonce, TxParams, TxReceipt, Wei

from cuckoo.chain.reverts import Reverted
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.domain.errors import ConfigError, TransientError
from cuckoo.domain.identifiers import Address

log = structlog.get_logger(__name__)

RECEIPT_POLL_S = 0.1
RECEIPT_TIMEOUT_S = 180.0
GAS_MARGIN = 1.25
TIP_WEI = 10**9


class TransactionPending(TransientError):
    """A transaction was sent and is not in a block yet; it may still get there."""

    code = "transaction_pending"


class Sender:
    """One account that sends transactions, one nonce after the other, however many ask at once."""

    def __init__(self, client: ChainClient, private_key: bytes) -> None:
        """Bind a key to a client; the key stays in here."""
        self._client = client
        self._account = Account.from_key(private_key)
        self._lock = asyncio.Lock()
        self._next_nonce = 0
        self.address = Address(self._account.address)

    def __repr__(self) -> str:
        """Show the address only."""
        return f"Sender({self.address})"

    async def send(self, call: AsyncContractFunction, doing: str) -> TxReceipt:
        """Send a contract call and wait until it is in a block.

        Args:
            call: a contract function with its arguments.
            doing: what it does, for errors and logs: "vote for node 3".

        Raises:
            Reverted: the contract refuses, found out before anything is sent where possible.
            ConfigError: no native coin for gas.
            TransactionPending: sent, and not in a block within the time.
        """
        return await self.send_raw(await self._fill(call, doing), doing)

    async def _fill(self, call: AsyncContractFunction, doing: str) -> TxParams:
        fixed: TxParams = {"from": on_chain(self.address), "gas": 0, "nonce": Nonce(0), "chainId": 0}
        fixed |= {"maxFeePerGas": Wei(0), "maxPriorityFeePerGas": Wei(0)}
        built = await self._client.run(lambda _: call.build_transaction(fixed), doing=doing)
        return {"to": built["to"], "data": built["data"]}

    async def send_raw(self, transaction: TxParams, doing: str) -> TxReceipt:
        """Send ``to``, ``data`` and ``value``; as :meth:`send`."""
        async with self._lock:
            tx_hash = await self._sign_and_send(transaction, doing)
        receipt = await self._wait(tx_hash, doing)
        log.debug("transaction in block", doing=doing, tx=tx_hash, block=receipt["blockNumber"], gas=receipt["gasUsed"])
        if receipt["status"] != 1:
            raise await self._why(transaction, receipt, doing)
        return receipt

    async def _sign_and_send(self, transaction: TxParams, doing: str) -> str:
        request: TxParams = {**transaction, "from": on_chain(self.address)}
        try:
            gas = await self._client.run(lambda web3: web3.eth.estimate_gas(request), doing=doing)
        except Web3RPCError as error:
            raise await self._refused(error, doing) from error
        pending = await self._client.run(lambda web3: web3.eth.get_transaction_count(on_chain(self.address), "pending"))
        nonce = max(self._next_nonce, pending) if self._next_nonce - pending < 64 else pending
        block = await self._client.block()
        signed = self._account.sign_transaction(
            {
                **{key: value for key, value in transaction.items() if value is not None},
                "chainId": self._client.network.chain_id,
                "type": 2,
                "nonce": nonce,
                "gas": int(gas * GAS_MARGIN),
                "maxPriorityFeePerGas": TIP_WEI,
                "maxFeePerGas": 2 * block.base_fee_wei + TIP_WEI,
            },
        )
        tx_hash = "0x" + bytes(signed.hash).hex()
        try:
            await self._client.run(lambda web3: web3.eth.send_raw_transaction(signed.raw_transaction), doing=doing)
        except Web3RPCError as error:
            if "already known" not in str(error).lower():
                raise await self._refused(error, doing) from error
        self._next_nonce = nonce + 1
        return tx_hash

    async def _refused(self, error: Web3RPCError, doing: str) -> Exception:
        if "insufficient funds" in str(error).lower() or await self._client.native_balance(self.address) == 0:
            return ConfigError(
                f"{doing}: {self.address} has too little native coin for gas: send it some "
                "(test network: cuckoo faucet)",
            )
        return error

    async def _wait(self, tx_hash: str, doing: str) -> TxReceipt:
        async def find() -> TxReceipt:
            while True:
                try:
                    return await self._client.run(lambda web3: web3.eth.get_transaction_receipt(tx_hash))  # type: ignore[arg-type]
                except TransactionNotFound:
                    await asyncio.sleep(RECEIPT_POLL_S)

        try:
            return await asyncio.wait_for(find(), RECEIPT_TIMEOUT_S)
        except TimeoutError:
            raise TransactionPending(
                f"{doing}: transaction {tx_hash} is in no block after {RECEIPT_TIMEOUT_S:.0f} s"
            ) from None

    async def _why(self, transaction: TxParams, receipt: TxReceipt, doing: str) -> Exception:
        request: Any = {**transaction, "from": on_chain(self.address)}
        try:
            await self._client.run(lambda web3: web3.eth.call(request, receipt["blockNumber"]), doing=doing)
        except Reverted as reason:
            return reason
        return Reverted(f"{doing}: transaction 0x{bytes(receipt['transactionHash']).hex()} failed, probably out of gas")
