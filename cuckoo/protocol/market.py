"""What a coordinator tells miners about its market: which models apps ask for, and why tasks went to others."""

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId


class ModelDemand(msgspec.Struct, frozen=True, kw_only=True):
    """How often apps asked for one model.

    Attributes:
        model: its name here, or what apps called it where nobody here knows it.
        digest: None where nobody here knows it.
        hour, day: times that it was asked for, refusals included.
        refused_hour, refused_day: of these, how many were refused: the model is not known here, or no miner that is
            signed in takes the size.
        price_least_wei, price_most_wei: of the tasks that were taken in during the day; None where none was.
        rate_wei: what a megapixel-step costs now; None for a model that is not known here.
        miners: signed in with it now.
        waiting: tasks that wait for one now.
    """

    model: str
    digest: ModelDigest | None = None
    hour: int
    day: int
    refused_hour: int = 0
    refused_day: int = 0
    price_least_wei: Wei | None = None
    price_most_wei: Wei | None = None
    rate_wei: Wei | None = None
    miners: int = 0
    waiting: int = 0


class DemandView(msgspec.Struct, frozen=True, kw_only=True):
    """Which models apps asked for, the most wanted first.

    Attributes:
        since: unix seconds from which on it was counted; later than a day ago after a restart.
        other_names: requests of the day for models that are not known here and are not listed, because their names are
            no names, or too many.
    """

    coordinator_node: NodeId
    since: float
    models: tuple[ModelDemand, ...]
    other_names: int = 0


class MissedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that went to another miner, or waits, and why.

    Attributes:
        at: when it was drawn for, taken back, or looked at while it waits; unix seconds.
        reason: "lost" where this miner stood in the draw and another won; else a name of docs/protocol.md's table of
            exclusions, in small letters, or "taken_back".
        odds: this miner's, where it stood in the draw.
        winner: who won; None where nobody was drawn.
        winner_odds, candidates: of the draw.
    """

    task_id: TaskId
    at: float
    model: str
    pixels: int
    steps: int
    pictures: int
    price_wei: Wei
    reason: str
    odds: float = 0.0
    winner: NodeId | None = None
    winner_odds: float = 0.0
    candidates: int = 0


class MissedView(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of the last hour that a miner did not get.

    Attributes:
        since: unix seconds from which on it was noted; later than an hour ago after a restart, or much traffic.
        won: tasks that it did get.
        counts: tasks that it did not get, by reason.
        tasks: the newest of them.
    """

    coordinator_node: NodeId
    since: float
    won: int
    counts: dict[str, int]
    tasks: tuple[MissedTask, ...]
