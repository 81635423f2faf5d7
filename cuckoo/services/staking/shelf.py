"""All nodes, ready to be listed: sorted, filtered, searched without asking the chain."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.events import Event, StakingEvents
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import InvalidField, NotFound, Unavailable
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.node import Introduction, Node, parse_introduction
from cuckoo.protocol.portal import At, EventRow, NodePage, NodeRow, NodeView, Stats

PAGE_MAX = 200
EVENTS_SHOWN = 100
DAY_S = 86_400
YEAR_S = 365 * DAY_S
_AGAIN_S = 2.0
_AMOUNTS = ("amount", "ownLoss", "votesLoss", "settled")


class Registry(Protocol):
    """The registry view; see :class:`cuckoo.services.follower.Follower`."""

    block: Block | None
    rollbacks: int

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node."""

    def nodes(self, role: Role) -> list[Node]:
        """Return the nodes of a role."""

    def subscribe(self, listener: Callable[[Sequence[Event]], None]) -> None:
        """Call with new events after each change; with none after a rollback."""


@dataclass(frozen=True)
class Emission:
    """What a role is paid: wei a second, over all weight, out of what is left."""

    weight_wei: int
    rate_wei: int
    reserve_wei: int


class NodeShelf:
    """The registry view in rows."""

    def __init__(self, client: ChainClient, registry: Registry) -> None:
        """Take the chain, and the registry view that is kept current; call ``start`` first."""
        self._client = client
        self._registry = registry
        self._staking = StakingContract(client)
        self._events = StakingEvents(client)
        self._slashes: Counter[int] = Counter()
        self._rising: dict[int, tuple[int, int]] = {}
        self._words: dict[NodeId, tuple[str, Introduction, str]] = {}
        self._lists: dict[tuple[str, str, bool, bool], tuple[int, list[Node]]] = {}
        self._emission: tuple[int, dict[Role, Emission]] | None = None
        self._rollbacks, self._stale = 0, False

    async def start(self) -> None:
        """Read slashes and announced commissions since the contracts began; raises TransientError."""
        await self._read_marks()
        self._registry.subscribe(self._on_events)

    async def _read_marks(self) -> None:
        self._rollbacks, self._stale = self._registry.rollbacks, False
        self._slashes.clear()
        self._rising.clear()
        self._note(await self._events.marks(self.at().block))

    def _on_events(self, events: Sequence[Event]) -> None:
        if self._registry.rollbacks == self._rollbacks:
            self._note(events)
        else:
            self._stale = True  # some of what was noted may never have happened

    def _note(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.name == "Slashed":
                self._slashes[event.node_id] += 1
            elif event.name == "CommissionAnnounced":
                arguments = event.arguments
                self._rising[event.node_id] = (int(arguments["commissionBps"]), int(arguments["effectiveAt"]))

    def at(self) -> At:
        """Return the block that everything here is true at; raises Unavailable before there is one."""
        block = self._registry.block
        if block is None:
            raise Unavailable("read the registry: it is not here yet", _AGAIN_S)
        return At(block=block.number, time=block.timestamp, hash=block.hash)

    def node(self, node_id: NodeId) -> Node:
        """Return a node; raises NotFound."""
        found = self._registry.node(node_id)
        if found is None:
            raise NotFound(f"read node {node_id}: there is none")
        return found

    def seen(self, node: Node) -> Node:
        """Return a node as it is listed, with its introduction; as it was given where the list does not have it yet."""
        return self._registry.node(node.node_id) or node

    def introduction(self, node: Node) -> Introduction:
        """Return what a node says about itself; empty where that can not be read."""
        return self._said(node)[1]

    def _said(self, node: Node) -> tuple[str, Introduction, str]:
        known = self._words.get(node.node_id)
        if known is None or known[0] != node.introduction:
            try:
                words = parse_introduction(node.introduction)
            except InvalidField:
                words = Introduction(name="")
            found = " ".join((words.name, words.text, words.location, words.url, str(node.node_id))).casefold()
            known = self._words[node.node_id] = (
                node.introduction,
                words,
                f"{found} {node.owner} {node.operator}".casefold(),
            )
        return known

    def warnings(self, node: Node) -> tuple[str, ...]:
        """Return what speaks against a node: kinds of sentences."""
        found = []
        if self._rising_of(node) is not None:
            found.append("commission_rising")
        if self._slashes[node.node_id]:
            found.append("slashed")
        if node.jailed_until:
            found.append("jailed")
        elif not node.eligible:
            found.append("weightless")
        return tuple(found)

    def _rising_of(self, node: Node) -> tuple[int, int] | None:
        announced = self._rising.get(node.node_id)
        return announced if announced is not None and announced[0] > node.commission_bps else None

    # Lists.

    async def page(
        self, *, role: str, sort: str, descending: bool, search: str, eligible: bool, offset: int, limit: int
    ) -> NodePage:
        """Return a part of a list of nodes.

        Args:
            role: "miner", "coordinator" or "all".
            sort: a key of :data:`SORTS`.
            descending: the largest first.
            search: words that all must be in its introduction, its id or its addresses; whatever case.
            eligible: only those that carry weight.
            offset, limit: which part.

        Raises:
            InvalidField: no such role or order.
            TransientError: the chain does not answer.
        """
        if role not in ("all", "miner", "coordinator"):
            raise InvalidField("role", role, "must be all, miner or coordinator")
        if sort not in SORTS:
            raise InvalidField("sort", sort, f"must be one of {', '.join(SORTS)}")
        found = self._sorted(role, sort, descending, eligible)
        wanted = search.casefold().split()
        if wanted:
            found = [node for node in found if all(word in self._said(node)[2] for word in wanted)]
        emission = await self.emission()
        rows = tuple(self.row(node, emission) for node in found[offset : offset + limit])
        return NodePage(at=self.at(), total=len(found), nodes=rows)

    def _sorted(self, role: str, sort: str, descending: bool, eligible: bool) -> list[Node]:
        block = self.at().block
        key = (role, sort, descending, eligible)
        known = self._lists.get(key)
        if known is not None and known[0] == block:
            return known[1]
        roles = list(Role) if role == "all" else [Role[role.upper()]]
        nodes = [one for each in roles for one in self._registry.nodes(each) if one.eligible or not eligible]
        nodes.sort(key=lambda node: SORTS[sort](self, node), reverse=descending)
        self._lists[key] = (block, nodes)
        return nodes

    def row(self, node: Node, emission: dict[Role, Emission]) -> NodeRow:
        """Return a node as it is listed."""
        rising, part = self._rising_of(node), _yield(node, emission[node.role])
        return NodeRow(
            node_id=node.node_id,
            role=node.role.name.lower(),
            name=self._said(node)[1].name,
            owner=node.owner,
            operator=node.operator,
            weight_cai=format_cai(node.weight_wei, grouped=False),
            own_cai=format_cai(node.own_active_wei, grouped=False),
            votes_cai=format_cai(node.votes_active_wei, grouped=False),
            commission_percent=_percent(node.commission_bps),
            max_commission_percent=_percent(node.max_commission_bps),
            commission_rising=None if rising is None else {"to_percent": _percent(rising[0]), "at": str(rising[1])},
            yield_percent=None if part is None else f"{float(part) * 100:.4f}",
            jailed_until=node.jailed_until,
            eligible=node.eligible,
            slashes=self._slashes[node.node_id],
        )

    async def emission(self) -> dict[Role, Emission]:
        """Read what the roles are paid, once a block; raises TransientError."""
        if self._stale:
            await self._read_marks()
        block = self.at().block
        if self._emission is None or self._emission[0] != block:
            rows = {role: Emission(*await self._staking.role_row(role, block)) for role in Role}
            self._emission = (block, rows)
        return self._emission[1]

    # One node, and all together.

    async def view(self, node_id: NodeId) -> NodeView:
        """Show one node; raises NotFound, TransientError."""
        node, at = self.node(node_id), self.at()
        words = self.introduction(node)
        told = (await self._events.of_node(node_id, at.block))[-EVENTS_SHOWN:]
        times = {one.block_number: 0 for one in told}
        for number in times:
            times[number] = (await self._client.block(number)).timestamp
        events = tuple(
            EventRow(
                kind=one.name,
                block=one.block_number,
                time=times[one.block_number],
                transaction="0x" + one.transaction_hash.hex(),
                numbers={name: _written(name, value) for name, value in one.arguments.items() if name != "node"},
            )
            for one in reversed(told)
        )
        return NodeView(
            at=at,
            node=self.row(node, await self.emission()),
            introduction={"name": words.name, "text": words.text, "url": words.url, "location": words.location},
            links=words.links,
            unbonding_own_cai=format_cai(node.own_wei - node.own_active_wei, grouped=False),
            unbonding_votes_cai=format_cai(node.votes_wei - node.votes_active_wei, grouped=False),
            floor_cai=format_cai(node.floor_wei, grouped=False),
            events=events,
        )

    async def stats(self) -> Stats:
        """Show the network in numbers; raises TransientError."""
        emission = await self.emission()
        of = {role.name.lower(): self._registry.nodes(role) for role in Role}
        paid = {role.name.lower(): emission[role] for role in Role}
        return Stats(
            at=self.at(),
            nodes={name: len(nodes) for name, nodes in of.items()},
            eligible={name: sum(node.eligible for node in nodes) for name, nodes in of.items()},
            weight_cai={name: format_cai(one.weight_wei, grouped=False) for name, one in paid.items()},
            emission_per_day_cai={name: format_cai(one.rate_wei * DAY_S, grouped=False) for name, one in paid.items()},
            reserve_cai={name: format_cai(one.reserve_wei, grouped=False) for name, one in paid.items()},
        )


def _yield(node: Node, emission: Emission) -> Fraction | None:
    """Return what a CAI of votes earns in a year: the node's part of emission, less commission, over active stake."""
    active = node.own_active_wei + node.votes_active_wei
    if not node.weight_wei or not emission.weight_wei or not active or not emission.reserve_wei:
        return None
    to_node = Fraction(emission.rate_wei * YEAR_S * node.weight_wei, emission.weight_wei)
    return to_node * (10_000 - node.commission_bps) / 10_000 / active


def _percent(bps: int) -> str:
    return f"{bps / 100:g}"


def _written(name: str, value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return format_cai(int(str(value)), grouped=False) if name in _AMOUNTS else str(value)


SORTS: dict[str, Callable[[NodeShelf, Node], Any]] = {
    "weight": lambda _, node: (node.weight_wei, -node.node_id),
    "own": lambda _, node: (node.own_active_wei, -node.node_id),
    "votes": lambda _, node: (node.votes_active_wei, -node.node_id),
    "commission": lambda _, node: (node.commission_bps, node.node_id),
    "yield": lambda _, node: (
        node.weight_wei * (10_000 - node.commission_bps) / ((node.own_active_wei + node.votes_active_wei) or 1),
        -node.node_id,
    ),
    "name": lambda shelf, node: (shelf.introduction(node).name.casefold(), node.node_id),
    "slashes": lambda shelf, node: (shelf._slashes[node.node_id], node.node_id),  # noqa: SLF001 - its own table
    "id": lambda _, node: node.node_id,
}
