"""Send transactions: recorded before they leave, one nonce after the other, replaced when stuck, until a receipt."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Protocol

import structlog
from eth_account import Account as Accounts
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from web3.contract.async_contract import AsyncContractFunction
from web3.exceptions import TransactionIndexingInProgress, TransactionNotFound
from web3.types import Nonce, TxParams, TxReceipt, Wei

from cuckoo.chain.answers import RequestRefused
from cuckoo.chain.outbox import Account, Sent
from cuckoo.chain.reverts import Reverted
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.domain.errors import ChainUnreachable, ConfigError, TransientError
from cuckoo.domain.identifiers import Address

log = structlog.get_logger(__name__)

RECEIPT_POLL_S = 0.1
SLOWEST_POLL_S = 2.0
RECEIPT_TIMEOUT_S = 180.0
STUCK_S = 30.0
GAS_MARGIN = 1.25
GAS_SPARE = 100_000
"""Beyond the margin: what is mined in a newer jury epoch than it was estimated in writes a few fresh slots more."""
OUTBOX_ROWS = 64
KEEP_S = 3_600.0
"""With more rows than these, those that are final and older than this are dropped."""
_NOT_THERE_YET = (TransactionNotFound, TransactionIndexingInProgress)


class TransactionPending(TransientError):
    """A transaction was sent and is not in a block yet; it may still get there."""

    code = "transaction_pending"


class NonceTaken(TransientError):
    """Another program that has the same key sent something with the nonce of our transaction."""

    code = "nonce_taken"


def raised(fee: int) -> int:
    """Raise a fee by an eighth, rounded up: the least that nodes take for a replacement is a tenth."""
    return fee + (fee + 7) // 8


class Sends(Protocol):
    """Whoever takes a contract call: a :class:`Sender`, or a draft of what one would do."""

    address: Address

    async def send(self, call: AsyncContractFunction, doing: str, *, once: str = "") -> TxReceipt:
        """Send a call; see :meth:`Sender.send`."""


class Sender:
    """One account that sends transactions, one nonce after the other, however many ask at once."""

    def __init__(self, client: ChainClient, private_key: bytes, *, stuck_s: float = STUCK_S) -> None:
        """Bind a key to a client; the key stays in here.

        Args:
            client: its outbox records what is sent.
            private_key: 32 bytes.
            stuck_s: a transaction that is in no block for so long is sent again, the first in line with higher fees.
        """
        self._client = client
        self._account = Accounts.from_key(private_key)
        self._stuck_s = stuck_s
        self.address = Address(self._account.address)

    def __repr__(self) -> str:
        """Show the address only."""
        return f"Sender({self.address})"

    async def send(self, call: AsyncContractFunction, doing: str, *, once: str = "") -> TxReceipt:
        """Send a contract call and wait until it is in a block.

        Args:
            call: a contract function with its arguments.
            doing: what it does, for errors and logs: "vote for node 3".
            once: a name of this very act. What was recorded under it, by a process that died, is waited for and
                answered with; it is not done again. The outbox forgets what has long been final.

        Raises:
            Reverted: the contract refuses, found out before anything is sent where possible.
            ConfigError: no native coin for gas.
            TransactionPending: sent, and not in a block within the time.
            NonceTaken: it was not carried out; another program used the key at the same moment.
            FatalError: it can not be recorded.
        """
        if once:
            doing = f"{doing} ({once})"
            if (receipt := await self._outcome(doing)) is not None:
                return receipt
        return await self.send_raw(await self._fill(call, doing), doing)

    async def _outcome(self, doing: str) -> TxReceipt | None:
        """Wait for what was recorded under these words; None if nothing was, or nothing that was carried out."""
        account = Account(genesis=await self._client.genesis(), address=self.address)
        outbox = self._client.outbox
        for sent in outbox.under(account, doing):
            async with outbox.turn(self.address):
                for lost in outbox.waiting(account, await self._count("latest", doing)):
                    await self._send_again(lost)
            with suppress(NonceTaken):
                receipt = await self._wait(account, sent)
                self._client.saw(receipt["blockNumber"])
                if receipt["status"] == 1:
                    return receipt
        return None

    async def _fill(self, call: AsyncContractFunction, doing: str) -> TxParams:
        fixed: TxParams = {"from": on_chain(self.address), "gas": 0, "nonce": Nonce(0), "chainId": 0}
        fixed |= {"maxFeePerGas": Wei(0), "maxPriorityFeePerGas": Wei(0)}
        built = await self._client.run(lambda _: call.build_transaction(fixed), doing=doing)
        return {"to": built["to"], "data": built["data"]}

    async def send_raw(self, transaction: TxParams, doing: str) -> TxReceipt:
        """Send ``to``, ``data`` and ``value``; as :meth:`send`."""
        account = Account(genesis=await self._client.genesis(), address=self.address)
        async with self._client.outbox.turn(self.address):
            sent = await self._record(account, transaction, doing)
            await self._send_first(account, sent)
        receipt = await self._wait(account, sent)
        self._client.saw(receipt["blockNumber"])
        tx_hash = "0x" + bytes(receipt["transactionHash"]).hex()
        log.debug("transaction in block", doing=doing, tx=tx_hash, block=receipt["blockNumber"], gas=receipt["gasUsed"])
        if receipt["status"] != 1:
            raise await self._why(transaction, receipt, doing)
        return receipt

    # Out.

    async def _record(self, account: Account, transaction: TxParams, doing: str) -> Sent:
        """Choose gas, fees and nonce, sign, and record; first send again whatever fell out of the pool."""
        request: TxParams = {**transaction, "from": on_chain(self.address)}
        try:
            gas = await self._client.run(lambda web3: web3.eth.estimate_gas(request), doing=doing)
        except RequestRefused as error:
            raise await self._refused(error, doing) from error
        pending, (tip, most) = await asyncio.gather(self._count("pending", doing), self._fees(doing))
        outbox = self._client.outbox
        for lost in outbox.waiting(account, pending):
            log.warning("transaction is not in the pool: sent again", doing=lost.doing, nonce=lost.nonce, tx=lost.hash)
            await self._send_again(lost)
        now = time.time()
        if outbox.count(account) > OUTBOX_ROWS:
            outbox.forget(account, await self._count("finalized", doing), now - KEEP_S)
        fields = {
            **{key: value for key, value in transaction.items() if value is not None},
            "chainId": self._client.network.chain_id,
            "type": 2,
            "gas": int(gas * GAS_MARGIN) + GAS_SPARE,
            "maxPriorityFeePerGas": tip,
            "maxFeePerGas": most,
        }
        return await asyncio.to_thread(
            outbox.allocate, account, pending, lambda nonce: self._sign({**fields, "nonce": nonce}, doing, now)
        )

    def _sign(self, fields: dict[str, Any], doing: str, at: float) -> Sent:
        signed = self._account.sign_transaction(fields)
        tx_hash = "0x" + bytes(signed.hash).hex()
        return Sent(nonce=fields["nonce"], hash=tx_hash, raw=bytes(signed.raw_transaction), doing=doing, at=at)

    async def _count(self, which: Any, doing: str) -> int:
        own = on_chain(self.address)
        return await self._client.run(lambda web3: web3.eth.get_transaction_count(own, which), doing=doing)

    async def _fees(self, doing: str) -> tuple[int, int]:
        """Return the tip and the highest fee that are due now, wei per gas."""
        tip, block = await asyncio.gather(
            self._client.run(lambda web3: web3.eth.max_priority_fee, doing=doing), self._client.block()
        )
        return tip, 2 * block.base_fee_wei + tip

    async def _send_first(self, account: Account, sent: Sent) -> None:
        """Send; a refusal gives the nonce back, unless the transaction may have arrived somewhere."""
        try:
            await self._push(sent)
        except RequestRefused as error:
            try:
                arrived = await self._arrived(sent.hash)
            except ChainUnreachable:
                arrived = True
            if arrived or "nonce too low" in str(error).lower():
                return
            self._client.outbox.withdraw(account, sent.nonce)
            raise await self._refused(error, sent.doing) from error
        except ChainUnreachable as error:
            log.warning("no answer to a transaction; it may have arrived", doing=sent.doing, reason=str(error))

    async def _push(self, sent: Sent) -> None:
        await self._client.run(lambda web3: web3.eth.send_raw_transaction(HexBytes(sent.raw)), doing=sent.doing)

    async def _send_again(self, sent: Sent) -> None:
        try:
            await self._push(sent)
        except RequestRefused as error:
            log.debug("transaction not taken again", doing=sent.doing, nonce=sent.nonce, reason=str(error))

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

    # Until it is in a block.

    async def _wait(self, account: Account, sent: Sent) -> TxReceipt:
        """Wait for a receipt; an endpoint that does not answer meanwhile is waited for, the transaction is recorded."""
        poll_s, look_at, misses = RECEIPT_POLL_S, time.monotonic() + self._stuck_s, 0
        hashes = {sent.hash: None}
        try:
            async with asyncio.timeout(RECEIPT_TIMEOUT_S):
                while True:
                    hashes |= {version.hash: None for version in self._client.outbox.versions(account, sent.nonce)}
                    try:
                        for tx_hash in hashes:
                            if receipt := await self._receipt(tx_hash, sent.doing):
                                return receipt
                        if time.monotonic() >= look_at:
                            look_at = time.monotonic() + self._stuck_s / 3
                            misses = misses + 1 if await self._tend(account, sent) else 0
                    except TransientError as error:
                        log.warning("no answer about a transaction", doing=sent.doing, reason=str(error))
                    if misses > 1:
                        raise self._taken(account, sent)
                    await asyncio.sleep(poll_s)
                    poll_s = min(SLOWEST_POLL_S, poll_s * 1.2)
        except TimeoutError:
            raise TransactionPending(
                f"{sent.doing}: transaction {sent.hash} is in no block after {RECEIPT_TIMEOUT_S:.0f} s; it may still "
                "get there: look before you try again",
            ) from None

    async def _receipt(self, tx_hash: str, doing: str) -> TxReceipt | None:
        try:
            return await self._client.run(
                lambda web3: web3.eth.get_transaction_receipt(tx_hash),  # type: ignore[arg-type]
                doing=doing,
            )
        except RequestRefused as error:
            if isinstance(error.__cause__, _NOT_THERE_YET):
                return None
            raise

    async def _tend(self, account: Account, sent: Sent) -> bool:
        """Help what waits; says whether our nonce is used, so that there is a receipt, or never will be."""
        async with self._client.outbox.turn(self.address):
            mined = await self._count("latest", sent.doing)
            for waiting in self._client.outbox.waiting(account, mined):
                if time.time() - waiting.at < self._stuck_s:
                    continue
                if waiting.nonce == mined:
                    await self._replace(account, waiting)
                else:
                    await self._send_again(waiting)
        return mined > sent.nonce

    async def _replace(self, account: Account, stuck: Sent) -> None:
        """Send the same transaction with both fees an eighth higher, or as high as is due now."""
        fields = dict(TypedTransaction.from_bytes(HexBytes(stuck.raw)).as_dict())
        for name in ("v", "r", "s"):
            fields.pop(name)
        tip, most = await self._fees(stuck.doing)
        fees = {
            "maxFeePerGas": max(raised(fields["maxFeePerGas"]), most),
            "maxPriorityFeePerGas": max(raised(fields["maxPriorityFeePerGas"]), tip),
        }
        at = max(time.time(), stuck.at + 0.001)  # later than its predecessor, whatever the clock does
        better = self._sign({**fields, **fees}, stuck.doing, at)
        await asyncio.to_thread(self._client.outbox.replace, account, better)
        log.warning("transaction stuck: replaced with higher fees", doing=stuck.doing, nonce=stuck.nonce, **fees)
        await self._send_again(better)

    def _taken(self, account: Account, sent: Sent) -> NonceTaken:
        self._client.outbox.withdraw(account, sent.nonce)
        return NonceTaken(
            f"{sent.doing}: not done: another program with the key of {self.address} used nonce {sent.nonce} at "
            "the same moment: try again"
        )

    async def _why(self, transaction: TxParams, receipt: TxReceipt, doing: str) -> Exception:
        request: Any = {**transaction, "from": on_chain(self.address)}
        try:
            await self._client.run(lambda web3: web3.eth.call(request, receipt["blockNumber"]), doing=doing)
        except Reverted as reason:
            return reason
        return Reverted(f"{doing}: transaction 0x{bytes(receipt['transactionHash']).hex()} failed, probably out of gas")
