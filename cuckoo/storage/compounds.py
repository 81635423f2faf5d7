"""Rewards on their way from a claim back behind their node: what a staker role had begun when it was stopped."""

import sqlite3
from enum import StrEnum

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.writer import Command, Reader


class CompoundState(StrEnum):
    """How far it is. ``KEPT``: claimed, and left to its owner."""

    CLAIMING = "claiming"
    CLAIMED = "claimed"
    DEPOSITED = "deposited"
    VOTED = "voted"
    KEPT = "kept"


class Compound(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    Attributes:
        since_block: what it does is in later blocks.
        amount_wei: what was claimed; None before that is known.
    """

    compound_id: int
    node: NodeId
    tranche: int
    since_block: int
    state: CompoundState
    amount_wei: Wei | None = None


class Compounds:
    """All of a staker's."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def begin(self, node: NodeId, tranche: int, since_block: int, at: float) -> Command[Compound]:
        """Store one before its claim is sent."""

        def run(connection: sqlite3.Connection) -> Compound:
            compound_id = connection.execute(
                "INSERT INTO compounds (node, tranche, since_block, state, at) VALUES (?, ?, ?, 'claiming', ?)",
                (node, tranche, since_block, at),
            ).lastrowid
            return Compound(
                compound_id=compound_id or 0,
                node=node,
                tranche=tranche,
                since_block=since_block,
                state=CompoundState.CLAIMING,
            )

        return run

    def advance(self, compound: Compound, state: CompoundState, amount_wei: Wei) -> Command[Compound]:
        """Store that it has come further."""

        def run(connection: sqlite3.Connection) -> Compound:
            connection.execute(
                "UPDATE compounds SET state = ?, amount_wei = ? WHERE compound_id = ?",
                (state.value, str(amount_wei), compound.compound_id),
            )
            return msgspec.structs.replace(compound, state=state, amount_wei=amount_wei)

        return run

    async def all_open(self) -> list[Compound]:
        """Read those that are not at their end, in order."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT compound_id, node, tranche, since_block, state, amount_wei FROM compounds "
                "WHERE state IN ('claiming', 'claimed', 'deposited') ORDER BY compound_id"
            ).fetchall()
        )
        return [
            Compound(
                compound_id=compound_id,
                node=NodeId(node),
                tranche=tranche,
                since_block=since_block,
                state=CompoundState(state),
                amount_wei=None if amount_wei is None else Wei(int(amount_wei)),
            )
            for compound_id, node, tranche, since_block, state, amount_wei in rows
        ]
