"""Send transactions: one nonce after the other, EIP-1559 fees, receipts, and why one was refused."""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from eth_account import Account
from web3.contract.async_contract import AsyncContractFunction
from web3.exceptions import TransactionIndexingInProgress, TransactionNotFound
from web3.types import Nonce, TxParams, TxReceipt, Wei

from cuckoo.chain.reverts import Reverted
from cuckoo.chain.rpc import ChainClient, RequestRefused, on_chain
from cuckoo.domain.errors import ConfigError, TransientError
from cuckoo.domain.identifiers import Address

log = structlog.get_logger(__name__)

RECEIPT_POLL_S = 0.1
RECEIPT_TIMEOUT_S = 180.0
GAS_MARGIN = 1.25
_NOT_THERE_YET = (TransactionNotFound, TransactionIndexingInProgress)


class TransactionPending(TransientError):
    """A transaction was sent and is not in a block yet; it may still get there."""

    code = "transaction_pending"


class Nonces:
    """The nonces of one account, handed out one after the other within this process.

    Attributes:
        lock: held while a transaction is made and sent.
        in_flight: transactions that were sent and have no receipt yet.
    """

    def __init__(self) -> None:
        """Know nothing yet; the chain says where to begin."""
        self.lock = asyncio.Lock()
        self.in_flight = 0
        self._next = 0

    def choose(self, pending: int) -> int:
        """Choose the next nonce.

        Args:
            pending: how many the chain counts, its pool included. It is believed when nothing of ours is in flight,
                so that a dropped transaction or a reorganisation leaves no gap.
        """
        return max(self._next, pending) if self.in_flight else pending

    def sent(self, nonce: int) -> None:
        """Note that a transaction with this nonce is on its way."""
        self._next = nonce + 1
        self.in_flight += 1


_nonces: WeakKeyDictionary[ChainClient, dict[Address, Nonces]] = WeakKeyDictionary()


def nonces_of(client: ChainClient, account: Address) -> Nonces:
    """Return the nonces of an account, which all senders of a client share."""
    return _nonces.setdefault(client, {}).setdefault(account, Nonces())


class Sender:
    """One account that sends transactions, one nonce after the other, however many ask at once."""

    def __init__(self, client: ChainClient, private_key: bytes) -> None:
        """Bind a key to a client; the key stays in here."""
        self._client = client
        self._account = Account.from_key(private_key)
        self.address = Address(self._account.address)
        self._nonces = nonces_of(client, self.address)

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
        async with self._nonces.lock:
            tx_hash = await self._sign_and_send(transaction, doing)
        try:
            receipt = await self._wait(tx_hash, doing)
        finally:
            self._nonces.in_flight -= 1
        log.debug("transaction in block", doing=doing, tx=tx_hash, block=receipt["blockNumber"], gas=receipt["gasUsed"])
        if receipt["status"] != 1:
            raise await self._why(transaction, receipt, doing)
        return receipt

    async def _sign_and_send(self, transaction: TxParams, doing: str) -> str:
        request: TxParams = {**transaction, "from": on_chain(self.address)}
        run, own = self._client.run, on_chain(self.address)
        try:
            gas = await run(lambda web3: web3.eth.estimate_gas(request), doing=doing)
        except RequestRefused as error:
            raise await self._refused(error, doing) from error
        pending, tip, block = await asyncio.gather(
            run(lambda web3: web3.eth.get_transaction_count(own, "pending"), doing=doing),
            run(lambda web3: web3.eth.max_priority_fee, doing=doing),
            self._client.block(),
        )
        nonce = self._nonces.choose(pending)
        signed = self._account.sign_transaction(
            {
                **{key: value for key, value in transaction.items() if value is not None},
                "chainId": self._client.network.chain_id,
                "type": 2,
                "nonce": nonce,
                "gas": int(gas * GAS_MARGIN),
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": 2 * block.base_fee_wei + tip,
            },
        )
        tx_hash = "0x" + bytes(signed.hash).hex()
        try:
            await run(lambda web3: web3.eth.send_raw_transaction(signed.raw_transaction), doing=doing)
        except RequestRefused as error:
            if not await self._arrived(tx_hash):
                raise await self._refused(error, doing) from error
        self._nonces.sent(nonce)
        return tx_hash

    async def _arrived(self, tx_hash: str) -> bool:
        """Say whether a transaction is known: what a second endpoint refuses, the first may have taken."""
        try:
            await self._client.run(lambda web3: web3.eth.get_transaction(tx_hash))  # type: ignore[arg-type]
        except RequestRefused as error:
            if isinstance(error.__cause__, TransactionIndexingInProgress):
                return True
            if isinstance(error.__cause__, TransactionNotFound):
                return False
            raise
        return True

    async def _refused(self, error: RequestRefused, doing: str) -> Exception:
        if "insufficient funds" in str(error).lower() or await self._client.native_balance(self.address) == 0:
            return ConfigError(
                f"{doing}: {self.address} has too little native coin for gas: send it some "
                "(test network: cuckoo faucet)",
            )
        return error

    async def _wait(self, tx_hash: str, doing: str) -> TxReceipt:
        """Wait for the receipt; an endpoint that does not answer meanwhile is waited for, the transaction is sent."""
        try:
            async with asyncio.timeout(RECEIPT_TIMEOUT_S):
                while True:
                    try:
                        return await self._client.run(
                            lambda web3: web3.eth.get_transaction_receipt(tx_hash),  # type: ignore[arg-type]
                            doing=doing,
                        )
                    except TransientError as error:
                        if not isinstance(error.__cause__, _NOT_THERE_YET):
                            log.warning("no answer about a transaction", doing=doing, tx=tx_hash, reason=str(error))
                    await asyncio.sleep(RECEIPT_POLL_S)
        except TimeoutError:
            raise TransactionPending(
                f"{doing}: transaction {tx_hash} is in no block after {RECEIPT_TIMEOUT_S:.0f} s; it may still get "
                "there: look before you try again",
            ) from None

    async def _why(self, transaction: TxParams, receipt: TxReceipt, doing: str) -> Exception:
        request: Any = {**transaction, "from": on_chain(self.address)}
        try:
            await self._client.run(lambda web3: web3.eth.call(request, receipt["blockNumber"]), doing=doing)
        except Reverted as reason:
            return reason
        return Reverted(f"{doing}: transaction 0x{bytes(receipt['transactionHash']).hex()} failed, probably out of gas")
