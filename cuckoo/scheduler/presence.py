"""What the rows of a draw log say of one node: in which draws it stood, and why not in the others."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.drawlog import DRAW_KIND, PERIOD_KIND, ParkRow, UnparkRow, WeightRow, decode_row, peek, rows_about
from cuckoo.scheduler.eligibility import Exclusion


class Presence(NamedTuple):
    """How a node stood in one draw.

    Attributes:
        active: it was in the tree of the model.
        reason: why it could not win, while active; why it last left a tree, while not. None where there is no reason,
            or none is known.
        weight_wei: its weight then; 0 while it was not active.
    """

    active: bool
    reason: Exclusion | None
    weight_wei: int = 0


def presences(rows: Iterable[bytes], node: NodeId, *, weight_wei: int = 0) -> Iterator[Presence]:
    """Yield how a node stood in each draw of some rows, in order.

    Rows that concern neither a draw nor the node are passed over without being decoded, and of a draw only what
    concerns the node is read, so that an hour of draws takes a fraction of a second.

    Args:
        rows: consecutive rows of one or more logs. Where they do not begin with a period, the node counts as active
            where a draw excludes it, and as not active elsewhere, until a row says more.
        node: whose.
        weight_wei: its weight, where no row has said it.
    """
    about = rows_about(node)
    active: dict[int, int] = {}
    left: Exclusion | None = None
    for row in rows:
        if row[0] == DRAW_KIND:
            model, excluded = peek(row, node)
            if model in active or excluded is not None:
                yield Presence(True, excluded, active.get(model, weight_wei))
            else:
                yield Presence(False, left)
        elif row[0] == PERIOD_KIND:
            active.clear()
        elif row.startswith(about):
            match decode_row(row):
                case ParkRow(_, model, wei):
                    active[model] = weight_wei = wei
                case UnparkRow(_, model, reason):
                    active.pop(model, None)
                    left = reason
                case WeightRow(_, wei):
                    weight_wei = wei
                    active = dict.fromkeys(active, wei)
