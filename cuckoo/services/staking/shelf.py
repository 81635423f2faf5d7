"""All nodes, ready to be listed: sorted, filtered, searched without asking the chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import InvalidField, NotFound, Unavailable
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.node import Introduction, Node, parse_introduction
from cuckoo.protocol.portal import At, EventRow, NodeClaims, NodePage, NodeRow, NodeView, Stats
from cuckoo.services.staking.claims import Claims
from cuckoo.services.staking.history import DAY_S, History, Marks
from cuckoo.storage.chronicle import Happened

PAGE_MAX = 200
EVENTS_SHOWN = 100
PAID_DAYS = 30
TRANCHES = ("own", "votes")
BPS = 10_000
_YEAR_DAYS = 365
_AGAIN_S = 2.0
UNTOLD = ("Weighed", "Claimed", "OwnerTransferStarted")
_AMOUNTS = ("amount", "ownLoss", "votesLoss", "settled", "fees", "redeemed", "burned")


class Registry(Protocol):
    """The registry view; see :class:`cuckoo.services.follower.Follower`."""

    block: Block | None

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node."""

    def nodes(self, role: Role) -> list[Node]:
        """Return the nodes of a role."""


@dataclass(frozen=True)
class Emission:
    """What a role is paid: wei a second, over all weight, out of what is left."""

    weight_wei: int
    rate_wei: int
    reserve_wei: int


class NodeShelf:
    """The registry view in rows."""

    def __init__(self, client: ChainClient, registry: Registry, history: History, claims: Claims) -> None:
        """Take the chain, the registry view that is kept current, what has happened, and what coordinators say."""
        self._registry = registry
        self._history = history
        self._claims = claims
        self._staking = StakingContract(client)
        self._words: dict[NodeId, tuple[str, Introduction, str]] = {}
        self._lists: dict[tuple[str, str, bool, bool], tuple[int, list[Node]]] = {}
        self._emission: tuple[int, dict[Role, Emission]] = (-1, {})
        self._marks = Marks(slashes={}, rising={}, fees={})

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

    def name(self, node_id: NodeId) -> str:
        """Return a node's own word for itself; empty where it has none."""
        node = self._registry.node(node_id)
        return "" if node is None else self._said(node)[1].name

    def url(self, node_id: NodeId) -> str:
        """Return where a node says that it is reached over HTTP; empty where it says nothing of the kind."""
        node = self._registry.node(node_id)
        url = "" if node is None else self._said(node)[1].url
        return url if url.startswith(("https://", "http://")) else ""

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
        if node.node_id in self._marks.slashes:
            found.append("slashed")
        if node.jailed_until:
            found.append("jailed")
        elif not node.eligible:
            found.append("weightless")
        return tuple(found)

    def slashes(self, node: Node) -> int:
        """Return how often a node was slashed."""
        return self._marks.slashes.get(node.node_id, 0)

    def _rising_of(self, node: Node) -> tuple[int, int] | None:
        announced = self._marks.rising.get(node.node_id)
        return announced if announced is not None and announced[0] > node.commission_bps else None

    # Lists.

    async def page(
        self, *, role: str, sort: str, descending: bool, search: str, eligible: bool, offset: int, limit: int
    ) -> NodePage:
        """Return a part of a list of nodes.

        Args:
            role: "miner", "coordinator" or "all".
            sort: a key of :data:`SORTS` or :data:`CLAIMED`.
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
        if sort not in SORTS and sort not in CLAIMED:
            raise InvalidField("sort", sort, f"must be one of {', '.join((*SORTS, *CLAIMED))}")
        await self.ready()
        found = self._sorted(role, sort, descending, eligible)
        wanted = search.casefold().split()
        if wanted:
            found = [node for node in found if all(word in self._said(node)[2] for word in wanted)]
        rows = tuple(self.row(node) for node in found[offset : offset + limit])
        return NodePage(at=self.at(), total=len(found), nodes=rows)

    def _sorted(self, role: str, sort: str, descending: bool, eligible: bool) -> list[Node]:
        block = self.at().block
        key = (role, sort, descending, eligible)
        known = self._lists.get(key)
        if known is not None and known[0] == block:
            return known[1]
        roles = list(Role) if role == "all" else [Role[role.upper()]]
        nodes = [one for each in roles for one in self._registry.nodes(each) if one.eligible or not eligible]
        if sort in CLAIMED:
            nodes = self._by_claims(nodes, sort, descending)
        else:
            nodes.sort(key=lambda node: SORTS[sort](self, node), reverse=descending)
        self._lists[key] = (block, nodes)
        return nodes

    def _by_claims(self, nodes: list[Node], sort: str, descending: bool) -> list[Node]:
        """Sort by what coordinators say; those of which nobody does come last."""
        found = {node.node_id: claims for node in nodes if (claims := self._claims.of(node.node_id)) is not None}
        known = [node for node in nodes if node.node_id in found]
        known.sort(key=lambda node: CLAIMED[sort](found[node.node_id]), reverse=descending)
        return known + [node for node in nodes if node.node_id not in found]

    def coordinators(self) -> dict[NodeId, str]:
        """Return where coordinators that carry weight say that they are reached."""
        nodes = [node for node in self._registry.nodes(Role.COORDINATOR) if node.eligible]
        return {node.node_id: url for node in nodes if (url := self.url(node.node_id))}

    def row(self, node: Node) -> NodeRow:
        """Return a node as it is listed; call :meth:`ready` before."""
        rising, (emission, fees) = self._rising_of(node), self.yields(node)
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
            yield_percent=f"{emission + fees:.4f}" if node.weight_wei else None,
            fees_percent=f"{fees:.4f}" if node.weight_wei else None,
            jailed_until=node.jailed_until,
            eligible=node.eligible,
            slashes=self.slashes(node),
            claims=self._claims.of(node.node_id),
        )

    def daily(self, node: Node) -> tuple[int, int]:
        """Return what a node and those behind it earn a day, in wei before commission: by emission, and by fees.

        Emission as it is streamed now, fees as in the last 30 days.
        """
        of_role = self._emission[1][node.role]
        if not node.weight_wei or not of_role.weight_wei:
            return 0, 0
        rate = of_role.rate_wei if of_role.reserve_wei else 0
        return rate * DAY_S * node.weight_wei // of_role.weight_wei, self._marks.fees.get(node.node_id, 0)

    def yields(self, node: Node) -> tuple[float, float]:
        """Return what stake behind a node earns in a year, in percent after commission: by emission, and by fees."""
        active = node.own_active_wei + node.votes_active_wei
        if not active:
            return 0.0, 0.0
        emission, fees = (
            each * _YEAR_DAYS * (BPS - node.commission_bps) * 100 / BPS / active for each in self.daily(node)
        )
        return emission, fees

    async def ready(self) -> None:
        """Read what the roles are paid, and what speaks against nodes, once a block; raises TransientError."""
        self._marks = await self._history.marks()
        block = self.at().block
        if self._emission[0] != block:
            self._emission = (block, {role: Emission(*await self._staking.role_row(role, block)) for role in Role})

    # One node, and all together.

    async def view(self, node_id: NodeId) -> NodeView:
        """Show one node; raises NotFound, TransientError."""
        await self.ready()
        node = self.node(node_id)
        words = self.introduction(node)
        everything = await self._history.events_of(node_id)
        told = [one for one in everything if one.name not in UNTOLD]
        events = tuple(
            EventRow(
                kind=one.name,
                block=one.block,
                time=one.at,
                transaction="0x" + one.hash.hex(),
                numbers={name: _written(name, value) for name, value in one.arguments.items() if name != "node"},
            )
            for one in reversed(told[-EVENTS_SHOWN:])
        )
        return NodeView(
            at=self.at(),
            node=self.row(node),
            introduction={"name": words.name, "text": words.text, "url": words.url, "location": words.location},
            links=words.links,
            unbonding_own_cai=format_cai(node.own_wei - node.own_active_wei, grouped=False),
            unbonding_votes_cai=format_cai(node.votes_wei - node.votes_active_wei, grouped=False),
            floor_cai=format_cai(node.floor_wei, grouped=False),
            payee=_last(everything, ("PayeeChanged",), "payee"),
            pending_owner=_last(everything, ("OwnerTransferStarted", "OwnerTransferred"), "pendingOwner"),
            claims_by=self._claims.by(node_id),
            events=events,
        )

    async def stats(self) -> Stats:
        """Show the network in numbers; raises TransientError."""
        paid_by_day = await self._history.paid_by_day(None, PAID_DAYS)
        await self.ready()
        emission = self._emission[1]
        of = {role.name.lower(): self._registry.nodes(role) for role in Role}
        paid = {role.name.lower(): emission[role] for role in Role}
        return Stats(
            at=self.at(),
            nodes={name: len(nodes) for name, nodes in of.items()},
            eligible={name: sum(node.eligible for node in nodes) for name, nodes in of.items()},
            weight_cai={name: format_cai(one.weight_wei, grouped=False) for name, one in paid.items()},
            emission_per_day_cai={name: format_cai(one.rate_wei * DAY_S, grouped=False) for name, one in paid.items()},
            reserve_cai={name: format_cai(one.reserve_wei, grouped=False) for name, one in paid.items()},
            claimed_tasks=self._claims.total("done"),
            claimed_pictures=self._claims.total("pictures"),
            claimed_draws=self._claims.total("assigned"),
            paid_cai_by_day={day: format_cai(amount, grouped=False) for day, amount in paid_by_day.items()},
        )


def _last(events: Sequence[Happened], names: Sequence[str], argument: str) -> Address | None:
    """Return an address that the last event of some kinds names; None where it names none, or zero."""
    found = next((one.arguments.get(argument) for one in reversed(events) if one.name in names), None)
    return Address(found) if found and int(found, 16) else None


def _percent(bps: int) -> str:
    return f"{bps / 100:g}"


def _written(name: str, value: object) -> str:
    return format_cai(int(str(value)), grouped=False) if name in _AMOUNTS else str(value)


SORTS: dict[str, Callable[[NodeShelf, Node], Any]] = {
    "weight": lambda _, node: (node.weight_wei, -node.node_id),
    "own": lambda _, node: (node.own_active_wei, -node.node_id),
    "votes": lambda _, node: (node.votes_active_wei, -node.node_id),
    "commission": lambda _, node: (node.commission_bps, node.node_id),
    "yield": lambda shelf, node: (sum(shelf.yields(node)), -node.node_id),
    "name": lambda shelf, node: (shelf.introduction(node).name.casefold(), node.node_id),
    "slashes": lambda shelf, node: (shelf.slashes(node), node.node_id),
    "id": lambda _, node: node.node_id,
}

CLAIMED: dict[str, Callable[[NodeClaims], Any]] = {
    "tasks": lambda claims: claims.tasks_done,
    "success": lambda claims: float(claims.success_percent or 0),
    "speed": lambda claims: claims.speed or 0.0,
    "audits": lambda claims: claims.audits_passed,
}
