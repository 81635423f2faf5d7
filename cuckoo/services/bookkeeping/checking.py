"""Compares a role's ledger, its vouchers and the chain, to the wei, and says in plain words where they differ."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

import msgspec

from cuckoo.chain.escrow import EscrowAccount
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.services.bookkeeping.booking import MovementsOnChain
from cuckoo.services.bookkeeping.rows import Sums, rows_of
from cuckoo.storage.books import Books, read_books
from cuckoo.storage.ledger import EARNED, ESCROW, FEES, OWED, REDEEMED, THAWING
from cuckoo.storage.writer import Reader

LOOKS = 3
"""A difference is one when it is seen so often: books and chain are not read at the same moment."""
_AT_ONCE = 32


class AccountsOnChain(MovementsOnChain, Protocol):
    """What checking reads beside the movements."""

    async def latest_block(self) -> int:
        """Return the newest block."""

    async def account(self, other: NodeId, block: int) -> EscrowAccount:
        """Read the account of this node with another one, at a block."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two that should be equal, or where the first should be at most the second. Amounts in wei."""

    counterparty: NodeId
    what: str
    left: str
    left_wei: int
    right: str
    right_wei: int
    meaning: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with one counterparty. Amounts in wei.

    Attributes:
        promised_wei: all that was ever signed for: by the ledger at a coordinator, by the best voucher at a miner.
        account: the chain's.
    """

    counterparty: NodeId
    promised_wei: int
    account: EscrowAccount

    @property
    def waiting_wei(self) -> int:
        """What is promised and not redeemed."""
        return max(0, self.promised_wei - self.account.redeemed_wei)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    Attributes:
        block: at which the chain was read.
        booked_to: up to which block the ledger holds it; None: not yet at all.
        pending: movements after that, which count here as if they were booked.
    """

    role: Role
    block: int
    booked_to: int | None
    pending: int
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]


async def check(role: Role, reader: Reader, chain: AccountsOnChain) -> Outcome:
    """Compare all books of a role.

    Args:
        role: whose they are.
        reader: of its database.
        chain: the escrow of its node.

    Raises:
        ConfigError: the ledger is of another chain.
        TransientError: the chain does not answer.
    """
    for _ in range(LOOKS):
        outcome = await _look(role, await reader.execute(read_books), chain)
        if not outcome.differences:
            break
    return outcome


async def _look(role: Role, books: Books, chain: AccountsOnChain) -> Outcome:
    genesis = await chain.genesis()
    if books.cursor is not None and books.cursor.genesis != genesis:
        raise ConfigError(
            f"check the ledger: it is of a chain whose block 0 is {books.cursor.genesis[:16]}..., this one's is "
            f"{genesis[:16]}...: name its network with --network, or move the role's folder away"
        )
    block = await chain.latest_block()
    first = chain.first_block if books.cursor is None else books.cursor.block + 1
    movements = await chain.movements(first, block) if block >= first else []
    sums: Sums = Counter()
    for name, by_node in books.sums.items():
        sums.update({(name, node): wei for node, wei in by_node.items()})
    rows_of(role, movements, sums)
    nodes = sorted({node for _, node in sums} | set(books.vouchers))
    accounts: list[EscrowAccount] = []
    for start in range(0, len(nodes), _AT_ONCE):
        accounts += await asyncio.gather(*(chain.account(node, block) for node in nodes[start : start + _AT_ONCE]))
    standings, differences = [], list(_wrong_sums(books))
    for node, account in zip(nodes, accounts, strict=True):
        promised_wei = books.vouchers.get(node, 0) if role is Role.MINER else sums[OWED, node]
        standing = Standing(counterparty=node, promised_wei=promised_wei, account=account)
        standings.append(standing)
        differences += _of_miner(standing, sums, books) if role is Role.MINER else _of_coordinator(standing, sums)
        differences += _unbacked(role, standing)
    return Outcome(
        role=role,
        block=block,
        booked_to=books.cursor.block if books.cursor else None,
        pending=len(movements),
        standings=tuple(standings),
        differences=tuple(differences),
    )


def _wrong_sums(books: Books) -> Iterator[Difference]:
    for one in books.wrong:
        yield Difference(
            counterparty=one.counterparty,
            what=f"running sum of {one.account}",
            left=f"row {one.entry_id}",
            left_wei=one.cumulative_wei,
            right="sum of the rows",
            right_wei=one.sum_wei,
            meaning="this database was changed by something else than Cuckoo, or is damaged",
        )


def _of_coordinator(standing: Standing, sums: Sums) -> Iterator[Difference]:
    node, account = standing.counterparty, standing.account
    for what, name, wei in (
        ("held ready", ESCROW, account.balance_wei),
        ("thawing", THAWING, account.thawing_wei),
        ("redeemed", REDEEMED, account.redeemed_wei),
    ):
        yield from _unlike_chain(node, what, sums[name, node], wei)
    if account.redeemed_wei > sums[OWED, node]:
        yield Difference(
            counterparty=node,
            what="owed",
            left="chain has paid",
            left_wei=account.redeemed_wei,
            right="ledger owed",
            right_wei=sums[OWED, node],
            meaning="this database is older than the chain; what is missing is taken over when the miner signs in",
        )


def _of_miner(standing: Standing, sums: Sums, books: Books) -> Iterator[Difference]:
    node, account = standing.counterparty, standing.account
    yield from _unlike_chain(node, "redeemed", sums[REDEEMED, node], account.redeemed_wei)
    yield from _unlike_chain(node, "kept for stakers", sums[FEES, node], account.fees_wei)
    earned, voucher, unanswered = sums[EARNED, node], standing.promised_wei, books.unanswered.get(node, 0)
    if earned > max(voucher, account.redeemed_wei):
        yield Difference(
            counterparty=node,
            what="earned",
            left="accepted results earned",
            left_wei=earned,
            right="best voucher",
            right_wei=voucher,
            meaning="the coordinator has given no voucher for all that it accepted",
        )
    if voucher > earned + unanswered:
        yield Difference(
            counterparty=node,
            what="earned",
            left="best voucher",
            left_wei=voucher,
            right="ledger earned",
            right_wei=earned,
            meaning="this database is older than the voucher; the running miner takes over what is missing",
        )
    if account.redeemed_wei > earned + unanswered:
        yield Difference(
            counterparty=node,
            what="earned",
            left="chain has paid",
            left_wei=account.redeemed_wei,
            right="ledger earned",
            right_wei=earned,
            meaning="this database is older than the chain; the running miner takes over what is missing",
        )


def _unlike_chain(node: NodeId, what: str, ledger_wei: int, chain_wei: int) -> Iterator[Difference]:
    if ledger_wei != chain_wei:
        yield Difference(
            counterparty=node,
            what=what,
            left="ledger",
            left_wei=ledger_wei,
            right="chain",
            right_wei=chain_wei,
            meaning="a movement on chain is missing in this ledger, or stands in it twice",
        )


def _unbacked(role: Role, standing: Standing) -> Iterator[Difference]:
    if standing.waiting_wei > standing.account.balance_wei:
        yield Difference(
            counterparty=standing.counterparty,
            what="backing",
            left="promised, not redeemed",
            left_wei=standing.waiting_wei,
            right="held ready on chain",
            right_wei=standing.account.balance_wei,
            meaning="the coordinator has withdrawn what its voucher needs: it must deposit again"
            if role is Role.MINER
            else "more is owed than is held ready: the miner can not redeem all of it before you deposit again",
        )
