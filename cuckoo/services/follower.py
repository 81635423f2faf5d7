"""Keeps the registry view current from the chain's events, and corrects it after a reorganisation."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.events import Event, StakingEvents
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.domain.errors import TransientError
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.node import Node
from cuckoo.runtime.clock import Clock

log = structlog.get_logger(__name__)

REMEMBERED_BLOCKS = 128
ROWS_ONE_BY_ONE = 20
INTERVAL_S = 1.0

Listener = Callable[[Sequence[Event]], None]


class Follower:
    """The registry as the chain shows it at ``block``.

    It polls for new blocks, reads their events, and reads the rows of the nodes that they touch. It remembers the
    hashes of the last 128 blocks; when one of them is no longer on the chain it goes back to the last common block and
    reads everything since, anew.

    Attributes:
        block: the block that the view is true at; None before :meth:`start`.
        rollbacks: how many reorganisations were corrected.
    """

    def __init__(self, client: ChainClient, clock: Clock, *, interval_s: float = INTERVAL_S) -> None:
        """Take what it reads from; call :meth:`start` before anything else."""
        self._client = client
        self._clock = clock
        self._interval_s = interval_s
        self._staking = StakingContract(client)
        self._events = StakingEvents(client)
        self._nodes: dict[NodeId, Node] = {}
        self._by_operator: dict[Address, NodeId] = {}
        self._introductions: dict[NodeId, list[tuple[int, str]]] = {}
        self._recent: deque[Block] = deque(maxlen=REMEMBERED_BLOCKS)
        self._listeners: list[Listener] = []
        self._orphaned = False  # rows may stem from blocks that are no longer on the chain
        self.block: Block | None = None
        self.rollbacks = 0

    # The view.

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node, or None when there is none of that id."""
        return self._nodes.get(node_id)

    def by_operator(self, operator: Address) -> Node | None:
        """Return the node that an operator runs now, or None."""
        node_id = self._by_operator.get(operator)
        return None if node_id is None else self._nodes[node_id]

    def nodes(self, role: Role) -> list[Node]:
        """Return the nodes of a role in the order of their ids."""
        return [node for _, node in sorted(self._nodes.items()) if node.role is role]

    def coordinators(self) -> list[Node]:
        """Return all registered coordinators."""
        return self.nodes(Role.COORDINATOR)

    def miners(self) -> list[Node]:
        """Return all registered miners."""
        return self.nodes(Role.MINER)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with new events after each change of the view; with none after a rollback."""
        self._listeners.append(listener)

    # The loop.

    async def start(self) -> None:
        """Read the whole registry; raises ChainUnreachable."""
        latest = await self._client.block()
        network = self._client.network
        await self._read_introductions(network.deploy_block, latest.number)
        await self._read_all(latest)
        self._recent.append(latest)
        self.block = latest

    async def run(self) -> None:
        """Follow the chain until cancelled; a chain that does not answer is waited for."""
        while True:
            try:
                await self.advance()
            except TransientError as error:
                log.warning("chain does not answer; the registry view stands still", reason=str(error))
            await self._clock.sleep(self._interval_s)

    async def advance(self) -> None:
        """Take in all blocks up to the latest; raises TransientError when the chain does not answer."""
        latest = await self._client.block()
        if await self._find_common_block(latest):
            self._orphaned = True
        cursor = self._recent[-1].number
        if latest.number == cursor and not self._orphaned:
            return
        events = await self._events.read(cursor + 1, latest.number) if latest.number > cursor else []
        self._note_introductions(events)
        touched = {NodeId(event.node_id) for event in events if event.node_id}
        if self._orphaned or len(touched) > ROWS_ONE_BY_ONE:
            await self._read_all(latest)
        else:
            await self._read_rows(touched, latest)
        self._recent.append(latest)
        self.block = latest
        rolled_back, self._orphaned = self._orphaned, False
        if events or rolled_back:
            for listener in self._listeners:
                listener(events)

    async def _find_common_block(self, latest: Block) -> bool:
        """Forget remembered blocks that are no longer on the chain; say whether there were any."""
        forgotten = False
        while self._recent:
            newest = self._recent[-1]
            if newest.number <= latest.number and (await self._hash_at(newest.number, latest)) == newest.hash:
                break
            self._recent.pop()
            forgotten = True
        if not forgotten:
            return False
        self.rollbacks += 1
        if not self._recent:
            first = self._client.network.deploy_block
            log.warning("reorganisation deeper than remembered: reading everything anew", from_block=first)
            self._recent.append(await self._client.block(max(0, first - 1)))
        common = self._recent[-1].number
        log.warning("reorganisation: view rolled back", to_block=common, latest=latest.number)
        for versions in self._introductions.values():
            versions[:] = [version for version in versions if version[0] <= common]
        return True

    async def _hash_at(self, number: int, latest: Block) -> bytes:
        return latest.hash if number == latest.number else (await self._client.block(number)).hash

    # Reading.

    async def _read_introductions(self, first_block: int, last_block: int) -> None:
        self._note_introductions(await self._events.introductions(first_block, last_block))

    def _note_introductions(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.name in ("Registered", "IntroductionChanged"):
                versions = self._introductions.setdefault(NodeId(event.node_id), [])
                versions.append((event.block_number, event.arguments["introduction"]))

    async def _read_all(self, block: Block) -> None:
        rows = [*await self._staking.nodes(Role.MINER, block.number)]
        rows += await self._staking.nodes(Role.COORDINATOR, block.number)
        self._nodes = {}
        self._by_operator = {}
        self._take(rows)

    async def _read_rows(self, node_ids: Iterable[NodeId], block: Block) -> None:
        rows = await asyncio.gather(*(self._staking.node(node_id, block.number) for node_id in node_ids))
        for row in rows:
            before = self._nodes.get(row.node_id)
            if before is not None and before.operator != row.operator:
                self._by_operator.pop(before.operator, None)
        self._take(rows)

    def _take(self, rows: Iterable[Node]) -> None:
        for row in rows:
            versions = self._introductions.get(row.node_id)
            node = msgspec.structs.replace(row, introduction=versions[-1][1]) if versions else row
            self._nodes[node.node_id] = node
            self._by_operator[node.operator] = node.node_id
