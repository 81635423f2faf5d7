"""Replays the draws of a closed period: the coordinator's public log against the chain, which it can not change."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.events import StakingEvents
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.chain.seedblocks import last_block_before, seed_block
from cuckoo.domain.errors import NotFound
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.views import DrawLogView, DrawsView
from cuckoo.scheduler.drawlog import DrawRow, LogBroken, ParkRow, WeightRow, decode_row, first_head
from cuckoo.scheduler.replay import Replay, ReplayedDraw, replay
from cuckoo.scheduler.seedchain import period_seed, verify_link
from cuckoo.services.verifying.checks import Check, State, check

WEIGHT_LAG_S = 60
"""So long a coordinator may go on with the weight that a node had before: it follows the chain, and chains stall."""


class DrawChain(Protocol):
    """What the chain knows about draws. All raise TransientError when it does not answer."""

    async def seed_tip(self, node: NodeId, tip: bytes) -> tuple[int, int]:
        """Read when and in which block a tip was committed; zeros when it was not."""

    async def seed_block(self, period: int, tip_block: int) -> Block | None:
        """Return the block that seeds a period; None while it is not final."""

    async def weights(self, nodes: Iterable[NodeId], period: int) -> Mapping[NodeId, set[int]]:
        """Return every weight that nodes had during a period or a little before, in wei."""

    async def time_of(self, block: int) -> int:
        """Read the time of a block."""

    def period_of(self, timestamp: int) -> int:
        """Return the draw period of a time."""


async def check_log(view: DrawLogView, chain: DrawChain) -> list[Check]:
    """Check a log from its seed to its last draw.

    Args:
        view: as the coordinator shows it.
        chain: what it can not change.

    Raises:
        TransientError: the chain does not answer.
    """
    node = view.coordinator_node
    committed_at, tip_block = await chain.seed_tip(node, view.tip)
    committed = tip_block == view.tip_block and bool(tip_block) and chain.period_of(committed_at) == view.tip_period
    block = await chain.seed_block(view.period, tip_block) if committed else None
    linked = verify_link(view.tip, view.period - view.tip_period, view.link)
    checks = [
        check(
            "seed tip",
            committed,
            f"committed on chain in block {tip_block:,}, before the block that seeds this period",
            f"coordinator {node} never committed {view.tip.hex()} as it says",
        ),
        check(
            "link", linked, f"hashed {view.period - view.tip_period + 1:,} times it gives the tip", "not of this tip"
        ),
        check(
            "seed",
            block is not None
            and (block.number, block.hash) == (view.block, view.block_hash)
            and view.seed == period_seed(view.link, view.block_hash, node),
            f"made of the link and block {view.block:,}, which the rule names",
            "not the one that the link and the chain's block give",
        ),
    ]
    try:
        found = _replay(view)
    except LogBroken as broken:
        return [*checks, Check(name="draws", state=State.WRONG, detail=str(broken))]
    miners = len({one.row.node for one in found.draws})
    detail = f"{len(found.draws):,} draws, won by {miners} miners, all as the seed decides"
    whole = (
        (view.first_row > 0 or view.previous_head == first_head(view.tip))
        and found.head == view.head
        and all((one.period, one.block) == (view.period, view.block) for one in found.draws)
    )
    checks.append(check("draws", whole, detail, "the rows do not lead to the head, or are of another period"))
    return [*checks, await _weights(view, chain)]


def _replay(view: DrawLogView) -> Replay:
    return replay(view.rows, {view.period: view.seed}, view.previous_head, view.first_draw)


async def _weights(view: DrawLogView, chain: DrawChain) -> Check:
    """Check that nobody took part with a weight that it never had: who is not eligible has none."""
    claimed = {(row.node, row.weight_wei) for row in map(decode_row, view.rows) if isinstance(row, ParkRow | WeightRow)}
    known = await chain.weights({node for node, _ in claimed}, view.period)
    wrong = sorted((node, wei) for node, wei in claimed if wei not in known.get(node, set()))
    return check(
        "weights",
        not wrong,
        f"{len(claimed)} weights of {len({node for node, _ in claimed})} miners, all as the chain recorded them",
        "; ".join(f"node {node} took part with {wei} wei, which it did not have then" for node, wei in wrong[:3]),
    )


def draw_count(view: DrawLogView) -> int:
    """Return how many draws a log has; raises LogBroken for a row that can not be read."""
    return sum(isinstance(decode_row(row), DrawRow) for row in view.rows)


async def find_log(
    read: Callable[[int], Awaitable[DrawsView]], chain: DrawChain, assignment: Assignment
) -> DrawLogView:
    """Find the log that holds an assignment's draw: of the periods that its block may seed, and its deadline allows.

    Args:
        read: gives the draws of a closed period, or raises NotFound.
        chain: for the time of the block.
        assignment: as signed.

    Raises:
        NotFound: no closed period has it.
    """
    reason = "no period can hold it"
    first = chain.period_of(await chain.time_of(assignment.draw_block))
    for period in range(first, chain.period_of(assignment.deadline) + 1):
        try:
            draws = await read(period)
        except NotFound as error:
            reason = str(error)
            continue
        for view in draws.logs:
            count = draw_count(view)
            if view.tip == assignment.seed_tip and 0 <= assignment.draw_index - view.first_draw < count:
                return view
    raise NotFound(f"find draw {assignment.draw_index} of coordinator {assignment.coordinator_node}: {reason}")


def check_draw(view: DrawLogView, assignment: Assignment) -> Check:
    """Check that an assignment stands in a log as it was signed; as :func:`check_draws`."""
    return check_draws(view, [assignment])[0]


def check_draws(view: DrawLogView, assignments: Sequence[Assignment]) -> list[Check]:
    """Check that assignments stand in a log as they were signed.

    Args:
        view: the log that :func:`check_log` found right.
        assignments: as the coordinator signed them, under the tip of this log.
    """
    try:
        draws = {one.row.index: one for one in _replay(view).draws}
    except LogBroken as broken:
        return [Check(name="this draw", state=State.WRONG, detail=str(broken))] * len(assignments)
    return [_check_draw(draws.get(one.draw_index), one) for one in assignments]


def _check_draw(one: ReplayedDraw | None, assignment: Assignment) -> Check:
    if one is None:
        return Check(name="this draw", state=State.WRONG, detail=f"draw {assignment.draw_index} is not in the log")
    signed = (assignment.miner_node, assignment.draw_head, assignment.task_id, assignment.attempt)
    logged = (one.row.node, one.head, one.row.task_id, one.row.attempt)
    share = one.weight_wei / one.row.total_wei
    return check(
        "this draw",
        signed == logged and one.model == assignment.parameters.model_digest,
        f"number {one.row.index}: miner {one.row.node} among {one.row.candidates}, with odds of {share:.1%}",
        f"draw {one.row.index} was signed for miner {assignment.miner_node}, task {assignment.task_id}, but logged for "
        f"miner {one.row.node}, task {one.row.task_id}"
        + ("" if one.head == assignment.draw_head else ", another head"),
    )


class DrawsOnChain:
    """The chain itself."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to a network."""
        self._client = client
        self._staking = StakingContract(client)
        self._events = StakingEvents(client)
        self._period_s = client.network.parameters.draw_period

    def period_of(self, timestamp: int) -> int:
        """Return the draw period of a time."""
        return timestamp // self._period_s

    async def time_of(self, block: int) -> int:
        """Read the time of a block."""
        return (await self._client.block(block)).timestamp

    async def seed_tip(self, node: NodeId, tip: bytes) -> tuple[int, int]:
        """Read when and in which block a tip was committed; zeros when it was not."""
        return await self._staking.seed_tip(node, tip)

    async def seed_block(self, period: int, tip_block: int) -> Block | None:
        """Return the block that seeds a period; None while it is not final."""
        return await seed_block(self._client, period * self._period_s, tip_block)

    async def weights(self, nodes: Iterable[NodeId], period: int) -> Mapping[NodeId, set[int]]:
        """Return every weight that nodes had during a period or a little before, from the events that recorded them."""
        newest = await self._client.block()
        first = await last_block_before(self._client, period * self._period_s - WEIGHT_LAG_S, newest)
        last = await last_block_before(self._client, (period + 1) * self._period_s, newest)
        found: dict[NodeId, set[int]] = {}
        for event in await self._events.weighed(sorted(nodes), last.number):
            weights = found.setdefault(NodeId(event.node_id), set())
            if event.block_number <= first.number:
                weights.clear()
            weights.add(int(event.arguments["weight"]))
        return found
