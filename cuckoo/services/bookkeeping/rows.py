"""Which rows of a ledger a movement on chain makes: the accounts' sums are then what the contract holds."""

from collections import Counter
from collections.abc import Callable, Iterable

from cuckoo.chain.escrow import Movement, MovementKind
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.storage.ledger import ESCROW, FEES, REDEEMED, THAWING
from cuckoo.storage.records import NewEntry

Sums = Counter[tuple[str, NodeId]]
"""What accounts sum up to, in wei, by name and counterparty."""
_Change = tuple[str, str, int]  # account, kind, wei


def rows_of(role: Role, movements: Iterable[Movement], sums: Sums) -> list[NewEntry]:
    """Book movements.

    Args:
        role: whose ledger.
        movements: in the order of the chain.
        sums: of ``ESCROW`` and ``THAWING`` before them; afterwards all that they change is added.
    """
    rows = []
    changes_of: Callable[[Movement, Sums], list[_Change]] = _of_miner if role is Role.MINER else _of_coordinator
    for movement in movements:
        other = movement.coordinator if role is Role.MINER else movement.miner
        for account, kind, amount_wei in changes_of(movement, sums):
            if amount_wei:
                sums[account, other] += amount_wei
                rows.append(
                    NewEntry(
                        account=account,
                        kind=kind,
                        amount_wei=amount_wei,
                        counterparty=other,
                        at=float(movement.at),
                        reference=movement.reference,
                    )
                )
    return rows


def _of_coordinator(movement: Movement, sums: Sums) -> list[_Change]:
    amount_wei, miner = movement.amount_wei, movement.miner
    match movement.kind:
        case MovementKind.DEPOSITED:
            return [(ESCROW, "deposited", amount_wei)]
        case MovementKind.THAW_STARTED:
            return [(THAWING, "announced", amount_wei)]
        case MovementKind.WITHDRAWN:
            return [(ESCROW, "withdrawn", -amount_wei), (THAWING, "withdrawn", -amount_wei)]
        case MovementKind.REDEEMED:
            # What thaws is paid out last: it shrinks only where nothing else is left.
            left = sums[ESCROW, miner] - amount_wei
            thawing = min(0, left - sums[THAWING, miner])
            return [
                (REDEEMED, "redeemed", amount_wei),
                (ESCROW, "redeemed", -amount_wei),
                (THAWING, "redeemed", thawing),
            ]
        case MovementKind.FEES_PASSED:
            return []


def _of_miner(movement: Movement, _: Sums) -> list[_Change]:
    amount_wei, fees_wei = movement.amount_wei, movement.fees_wei
    match movement.kind:
        case MovementKind.REDEEMED:
            return [
                (REDEEMED, "to payee", amount_wei - fees_wei),
                (REDEEMED, "to stakers", fees_wei),
                (FEES, "kept", fees_wei),
            ]
        case MovementKind.FEES_PASSED:
            return [(FEES, "passed on", -amount_wei)]
        case _:
            return []
