"""What a coordinator shows of tasks under way, its models, miners, draws and itself."""

from enum import StrEnum

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.protocol.messages import AttemptView, ReceiptView


class EventKind(StrEnum):
    """What a server-sent event of a task tells; the last three end the stream."""

    QUEUED = "queued"
    DRAWN = "drawn"
    PROGRESS = "progress"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self in (EventKind.DONE, EventKind.FAILED, EventKind.CANCELLED)


class TaskEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One server-sent event of a task.

    Attributes:
        position: how many tasks wait before it, when it waits.
        eta_p50_s, eta_p90_s: seconds until it is done, with even odds and nine in ten, when it waits or was drawn; None
            where nothing is known yet.
        reason: why it waits again, or failed.
        attempt: the attempt whose miner was drawn.
        step, steps: denoising steps done, of all over all pictures.
        preview: small PNG of the picture as it stands, or empty.
        pictures: paths, when it is done.
    """

    kind: EventKind
    task_id: TaskId
    position: int | None = None
    eta_p50_s: float | None = None
    eta_p90_s: float | None = None
    reason: str = ""
    attempt: AttemptView | None = None
    step: int = 0
    steps: int = 0
    preview: bytes = b""
    pictures: tuple[str, ...] = ()


class LoraView(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA of a model; ``id`` is its digest where only miners know it. ``miners``: signed in with it now."""

    id: str
    digest: str
    miners: int


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model that tasks may name. The first four fields are those of OpenAI's list of models.

    ``miners``: signed in with it now. ``rate_wei``: what a megapixel-step costs. Defaults are None where this
    coordinator knows the model from its miners only. ``max_pixels_now``: of a picture, as those miners have the memory
    for it; 0 without any. ``modes``: from what they make pictures; empty while none has said. ``schedulers``: that
    tasks may name; empty where only miners know. ``loras``: likewise.
    """

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "cuckoo"
    digest: ModelDigest
    title: str = ""
    miners: int
    max_pixels: int
    max_steps: int
    max_pixels_now: int = 0
    modes: tuple[str, ...] = ()
    schedulers: tuple[str, ...] = ()
    loras: tuple[LoraView, ...] = ()
    width_px: int | None = None
    height_px: int | None = None
    steps: int | None = None
    guidance: float | None = None
    rate_wei: Wei = Wei(0)


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All models that tasks may name."""

    object: str = "list"
    data: tuple[ModelView, ...]


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    """Which network this is, and what this coordinator does in it. Amounts in wei, times in seconds.

    ``period``: the draw period whose seed serves now; None before the first.
    """

    chain_id: int
    staking: str
    coordinator_node: NodeId
    operator: str
    weight_wei: Wei
    draw_period_s: int
    period: int | None
    seed_tip: bytes
    miners: int
    queued: int
    running: int


class MinerView(msgspec.Struct, frozen=True, kw_only=True):
    """A miner as the chain and this coordinator see it.

    Attributes:
        introduction: its own words, not to be trusted.
        assigned, done, failed, lost: attempts at this coordinator.
        expected: sum of its probabilities over the draws that it took part in; variance: of p (1 - p).
        pictures: that it made.
        device: its own word for what it runs on; "" while it is not signed in.
        speed: how fast it was lately at this coordinator, in megapixel-steps a second; 0 while that is not known.
        audits_passed, audits_failed: its results that others made again, and found right, or wrong.
    """

    node_id: NodeId
    owner: str
    operator: str
    weight_wei: Wei
    own_wei: Wei
    votes_wei: Wei
    signed_in: bool
    models: tuple[ModelDigest, ...]
    introduction: str
    assigned: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    expected: float = 0.0
    variance: float = 0.0
    pictures: int = 0
    device: str = ""
    speed: float = 0.0
    audits_passed: int = 0
    audits_failed: int = 0


class MinerList(msgspec.Struct, frozen=True, kw_only=True):
    """Registered miners; ``cursor``: send it as ``after`` to get the next ones, None at the end."""

    miners: tuple[MinerView, ...]
    cursor: NodeId | None = None


class DrawLogView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that replays the draws of one closed period under one seed tip.

    Attributes:
        tip: committed on chain at ``tip_block``, in period ``tip_period``.
        link: what the seed was made of, with keccak^(period - tip_period + 1)(link) = tip.
        block, block_hash: the block that went into the seed.
        previous_head: head of the log before its row number ``first_row``; sha256(tip) at its start.
        first_draw: index of the first draw in ``rows``.
        rows: encoded rows, see docs/protocol.md.
        head: head after the last of them.
    """

    coordinator_node: NodeId
    period: int
    tip: bytes
    tip_period: int
    tip_block: int
    link: bytes
    seed: bytes
    block: int
    block_hash: bytes
    previous_head: bytes
    first_row: int
    first_draw: int
    rows: tuple[bytes, ...]
    head: bytes


class DrawsView(msgspec.Struct, frozen=True, kw_only=True):
    """The draws of a closed period; one log for each seed tip that served in it."""

    period: int
    logs: tuple[DrawLogView, ...]


class DisputeView(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute about a result of this coordinator. ``detail``: what came of it, "" while it runs."""

    dispute: int
    task_id: TaskId
    miner_node: NodeId
    state: str
    detail: str
    at: float


class DisputeList(msgspec.Struct, frozen=True, kw_only=True):
    """Disputes whose evidence is here, the newest first."""

    disputes: tuple[DisputeView, ...]


class EvidenceView(msgspec.Struct, frozen=True, kw_only=True):
    """What a juror makes a disputed result again with.

    The chain shows assignment and receipt by their hashes; here are the parameters too.

    Attributes:
        pictures: sha256 of each PNG file, in order: they are at ``/v1/disputes/{dispute}/pictures/{sha256}``.
    """

    dispute: int
    signed: ReceiptView
    pictures: tuple[bytes, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process lives, or is ready; ``waiting_for`` says what is missing."""

    ok: bool
    waiting_for: tuple[str, ...] = ()
