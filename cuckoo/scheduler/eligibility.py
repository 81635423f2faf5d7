"""Why a node takes no part in a draw."""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.pricing import price_of
from cuckoo.scheduler.events import Capability, Demand


class Exclusion(IntEnum):
    """A reason, with the number it has in the draw log (docs/protocol.md)."""

    NOT_SIGNED_IN = 1
    SILENT = 2
    NO_WEIGHT = 3
    UNHEALTHY = 4
    NO_POLL = 5
    SLOTS_TAKEN = 6
    MODEL_NOT_LOADED = 7
    TOO_MANY_PIXELS = 8
    TOO_MANY_STEPS = 9
    PRICE_TOO_LOW = 10
    ESCROW_TOO_LOW = 11
    TRIED = 12
    PARTY = 13

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Exclusion.NOT_SIGNED_IN: "it is not signed in",
    Exclusion.SILENT: "it was silent for too long",
    Exclusion.NO_WEIGHT: "its stake carries no weight: it is jailed, or its own active stake is below its floor",
    Exclusion.UNHEALTHY: "it failed too often lately and is left out until it has recovered",
    Exclusion.NO_POLL: "no poll of it is waiting",
    Exclusion.SLOTS_TAKEN: "all its slots are taken",
    Exclusion.MODEL_NOT_LOADED: "it has not loaded the model, or lacks a LoRA",
    Exclusion.TOO_MANY_PIXELS: "the picture is larger than it takes",
    Exclusion.TOO_MANY_STEPS: "the task has more steps than it takes",
    Exclusion.PRICE_TOO_LOW: "the price is below what it asks",
    Exclusion.ESCROW_TOO_LOW: "too little is ring-fenced for it to cover the price",
    Exclusion.PARTY: "the task checks its own work, or its owner's",
    Exclusion.TRIED: "it has tried this task before, and another that can do it has not",
}


class Limits(NamedTuple):
    """What a capability takes; nodes with equal limits are looked at once.

    ``escrow_bits`` is the bit length of the free escrow: it decides all prices but those of the same bit length.
    """

    max_pixels: int
    max_steps: int
    min_rate_wei: int
    escrow_bits: int
    loras: frozenset[str]


def limits_of(capability: Capability, free_escrow_wei: Wei) -> Limits:
    """Return the limits of a node's capability with what its escrow leaves free now."""
    return Limits(
        capability.max_pixels,
        capability.max_steps,
        capability.min_rate_wei,
        max(0, free_escrow_wei).bit_length(),
        capability.loras,
    )


def misfit(limits: Limits, demand: Demand) -> Exclusion | None:
    """Return why nodes of these limits can not take the task; None when they can (escrow: when it may suffice)."""
    if not demand.loras <= limits.loras:
        return Exclusion.MODEL_NOT_LOADED
    if demand.pixels > limits.max_pixels:
        return Exclusion.TOO_MANY_PIXELS
    if demand.steps > limits.max_steps:
        return Exclusion.TOO_MANY_STEPS
    if demand.price_wei < price_of(demand.work, limits.min_rate_wei):
        return Exclusion.PRICE_TOO_LOW
    if demand.price_wei.bit_length() > limits.escrow_bits:
        return Exclusion.ESCROW_TOO_LOW
    return None


class Roster:
    """Nodes that serve one model, by their limits: asks each kind of node once, not each node."""

    __slots__ = ("_by_limits", "_limits")

    def __init__(self) -> None:
        """Start empty."""
        self._by_limits: dict[Limits, set[NodeId]] = {}
        self._limits: dict[NodeId, Limits] = {}

    def __len__(self) -> int:
        """Return how many nodes stand in it."""
        return len(self._limits)

    def __contains__(self, node: NodeId) -> bool:
        """Tell whether a node stands in it."""
        return node in self._limits

    def put(self, node: NodeId, limits: Limits) -> None:
        """Add a node, or move it to other limits."""
        before = self._limits.get(node)
        if before == limits:
            return
        if before is not None:
            self.drop(node)
        self._limits[node] = limits
        self._by_limits.setdefault(limits, set()).add(node)

    def drop(self, node: NodeId) -> None:
        """Remove a node that stands in it."""
        limits = self._limits.pop(node)
        nodes = self._by_limits[limits]
        nodes.discard(node)
        if not nodes:
            del self._by_limits[limits]

    def misfits(self, demand: Demand, free_escrow: Callable[[NodeId], Wei]) -> dict[NodeId, Exclusion]:
        """Return every node that can not take the task, with its reason."""
        found: dict[NodeId, Exclusion] = {}
        price = demand.price_wei
        for limits, nodes in self._by_limits.items():
            reason = misfit(limits, demand)
            if reason is not None:
                found.update(dict.fromkeys(nodes, reason))
            elif price and price.bit_length() == limits.escrow_bits:
                found.update((node, Exclusion.ESCROW_TOO_LOW) for node in nodes if free_escrow(node) < price)
        return found

    def count_misfits(self, demand: Demand) -> dict[Exclusion, int]:
        """Count the nodes whose limits exclude the task, by reason (escrow of the price's bit length may suffice)."""
        counts: dict[Exclusion, int] = {}
        for limits, nodes in self._by_limits.items():
            reason = misfit(limits, demand)
            if reason is not None:
                counts[reason] = counts.get(reason, 0) + len(nodes)
        return counts

    def largest(self) -> tuple[int, int]:
        """Return the most pixels and the most steps that any node takes; 0 when there is none."""
        return (
            max((limits.max_pixels for limits in self._by_limits), default=0),
            max((limits.max_steps for limits in self._by_limits), default=0),
        )
