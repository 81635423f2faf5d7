"""What the store takes and gives back: frozen records, wire structs inside them as the caller's bytes."""

from enum import StrEnum

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import TaskStatus


class AttemptState(StrEnum):
    """Where an attempt stands.

    ``lost`` means given up (deadline passed, miner silent): a valid result is still taken, until the task's next
    attempt is recorded, which makes this one ``fenced``.
    """

    RUNNING = "running"
    LOST = "lost"
    DONE = "done"
    FAILED = "failed"
    FENCED = "fenced"
    CANCELLED = "cancelled"


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task to be made durable.

    Attributes:
        parameters: the encoded TaskParameters, as the caller wants them back.
        created_at: unix seconds.
        body: what is compared when an idempotency key is repeated (the request's canonical bytes).
        idempotency_key: the app's; None without.
        owner_key: id of the API key that owns the task; None where there are no keys.
        price_wei: what it pays the miner that finishes it.
        avoid: nodes that may not be given it.
        inputs: what the parameters name by its hash, kept as blobs.
    """

    task_id: TaskId
    parameters: bytes
    created_at: float
    price_wei: Wei = Wei(0)
    avoid: tuple[NodeId, ...] = ()
    inputs: tuple[bytes, ...] = ()
    body: bytes = b""
    idempotency_key: str | None = None
    owner_key: int | None = None


class NewAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to be made durable before its assignment leaves the coordinator.

    Attributes:
        attempt: number within the task, from 1.
        sequence: rises per (coordinator, miner).
        assignment: the encoded Assignment; assignment_hash: its EIP-712 struct hash; signature: the coordinator's.
        deadline, assigned_at: unix seconds.
        seed_tip, draw_index, draw_head, draw_block: which draw chose the miner, as the assignment signs it.
        odds: the miner's probability in that draw, 0..1.
        candidates: how many miners took part in it.
    """

    task_id: TaskId
    attempt: int
    coordinator_node: NodeId
    miner_node: NodeId
    sequence: int
    assignment: bytes
    assignment_hash: bytes
    signature: bytes
    deadline: int
    assigned_at: float
    seed_tip: bytes
    draw_index: int
    draw_head: bytes
    draw_block: int
    odds: float
    candidates: int


class StoredAttempt(NewAttempt, frozen=True, kw_only=True):
    """An attempt as it stands in the store.

    Attributes:
        receipt, receipt_signature: the miner's, None until it is done.
        reason: why it failed or was lost; "" otherwise.
        ended_at: unix seconds, None while it runs.
    """

    state: AttemptState
    receipt: bytes | None = None
    receipt_signature: bytes | None = None
    reason: str = ""
    ended_at: float | None = None


class StoredTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it stands in the store.

    Attributes:
        position: rises with every task; the order in which they were acknowledged, and the cursor of ``recent``.
        attempts: in order of their numbers.
        pictures: blob hashes, in order; empty until it is done.
        reason: why it failed; "" otherwise.
        ended_at: unix seconds, None while it is open.
    """

    position: int
    task_id: TaskId
    owner_key: int | None
    idempotency_key: str | None
    parameters: bytes
    status: TaskStatus
    created_at: float
    price_wei: Wei = Wei(0)
    avoid: tuple[NodeId, ...] = ()
    ended_at: float | None = None
    reason: str = ""
    attempts: tuple[StoredAttempt, ...] = ()
    pictures: tuple[bytes, ...] = ()


class Inserted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an insert: the task, and whether it is new (False: the idempotency key was repeated)."""

    task: StoredTask
    created: bool


class MinerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a miner did for this coordinator since the store was made.

    Attributes:
        assigned, done, failed, lost: attempts.
        expected: sum of its probabilities over the draws that it took part in.
        variance: sum of p * (1 - p) over them.
        pictures: that it made.
    """

    miner_node: NodeId
    assigned: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    expected: float = 0.0
    variance: float = 0.0
    pictures: int = 0


class LogChunk(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive rows of a tip's draw log.

    Attributes:
        tip: the seed tip, 32 bytes.
        period: draw period number.
        first_row, row_count: position of the rows in the tip's log, from 0 without a gap.
        first_draw, draw_count: the draw indices among them; without a draw, the next index and 0.
        rows: their bytes, one after the other (the layout is the scheduler's).
        head: the running head after the last of them.
    """

    tip: bytes
    period: int
    first_row: int
    row_count: int
    first_draw: int
    draw_count: int
    rows: bytes
    head: bytes


class SeedTip(msgspec.Struct, frozen=True, kw_only=True):
    """A hash chain whose tip was committed on chain.

    Attributes:
        secret: s_0, from which every link follows.
        first_period: the period of the commit (its k is 0); None until the commit is on chain.
        block: number of the block that committed the tip; None until then.
        created_at: unix seconds.
    """

    tip: bytes
    secret: bytes
    created_at: float
    first_period: int | None = None
    block: int | None = None


class PeriodSeed(msgspec.Struct, frozen=True, kw_only=True):
    """The seed that served one period under one tip.

    Attributes:
        block, block_hash: the block that went into the seed.
    """

    tip: bytes
    period: int
    seed: bytes
    block: int
    block_hash: bytes


class PeriodLog(msgspec.Struct, frozen=True, kw_only=True):
    """All that is published of one period under one tip.

    Attributes:
        tip: with its secret: derive the period's link from it, and publish that link only.
        seed: None when the period had no seed (rows without draws).
        previous_head: the head before the period's first row, None where the tip's log starts in this period.
    """

    tip: SeedTip
    seed: PeriodSeed | None
    previous_head: bytes | None
    chunks: tuple[LogChunk, ...]


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger row to append.

    Attributes:
        account: whose books, for example "owed".
        kind: why, for example "result" or "redeemed".
        amount_wei: signed; the account's cumulative with this counterparty rises by it.
        counterparty: the other node.
        task_id, attempt: what it is for; the same (account, kind, task, attempt) is booked once only.
        reference: the log of the chain that it books; the same (account, kind, reference) is booked once only.
        model: digest of the model that earned it, "" where it is not known.
    """

    account: str
    kind: str
    amount_wei: int
    counterparty: NodeId
    at: float
    task_id: TaskId | None = None
    attempt: int | None = None
    reference: str | None = None
    model: str = ""


class Entry(NewEntry, frozen=True, kw_only=True):
    """A ledger row: ``cumulative_wei`` is the sum of (account, counterparty) up to and with this row."""

    entry_id: int
    cumulative_wei: int


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Up to which block a ledger holds what happened on chain. ``genesis``: hash of block 0, hex."""

    genesis: str
    block: int


class ReceiptState(StrEnum):
    """Where a miner's receipt stands: signed, then accepted or refused by the coordinator's stored reply."""

    SIGNED = "signed"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class NewReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A miner's receipt, made durable before its signature leaves.

    Attributes:
        receipt: the encoded Receipt; signature: the miner's over it.
        result: the upload (receipt and pictures) as it is sent, kept as a blob until the coordinator has answered.
        signed_at: unix seconds.
        price_wei: what the coordinator owes for it.
        model: digest of the model that made it.
        assignment: the encoded SignedAssignment, which shows a jury what was asked for.
        inputs: what it was made from besides, kept as blobs for the same end.
    """

    assignment_hash: bytes
    coordinator_node: NodeId
    task_id: TaskId
    attempt: int
    sequence: int
    receipt: bytes
    signature: bytes
    result: bytes
    signed_at: float
    price_wei: Wei = Wei(0)
    model: str = ""
    assignment: bytes = b""
    inputs: tuple[bytes, ...] = ()


class StoredReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """A miner's receipt as it stands in the store.

    Attributes:
        result_hash: blob hash of the upload.
        reply: the coordinator's stored answer, None before it.
    """

    assignment_hash: bytes
    coordinator_node: NodeId
    task_id: TaskId
    attempt: int
    sequence: int
    receipt: bytes
    signature: bytes
    result_hash: bytes | None
    signed_at: float
    state: ReceiptState
    reply: bytes | None
    price_wei: Wei = Wei(0)
    model: str = ""
    assignment: bytes = b""
