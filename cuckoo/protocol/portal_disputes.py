"""What the staking portal and ``cuckoo disputes`` show of disputes. Amounts are decimal CAI, times unix seconds."""

import msgspec

from cuckoo.domain.identifiers import Address, NodeId, TaskId
from cuckoo.domain.task import RuntimeProfile
from cuckoo.protocol.portal import At


class RoundRow(msgspec.Struct, frozen=True, kw_only=True):
    """A round: when it began, seats that were to be given, were claimed, and what they said."""

    started_at: int
    expected: int
    claimed: int
    guilty: int
    not_guilty: int
    abstained: int


class DisputeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute in a list.

    Attributes:
        state: its phase (claim, commit, reveal, appeal, execute); at its end its outcome (convicted, acquitted, drawn).
        phase_ends: None at its end.
        fault: what it is about, as a hash; one conviction each.
        summary: a sentence.
        fee_per_seat: of each seat that said what came out.
        own_lost, votes_lost: what the miner and its voters lost; None before the end, like the next two.
        bonds_returned, burned: where money went.
    """

    dispute: int
    fault: str
    miner: NodeId
    coordinator: NodeId
    accuser: Address
    bond: str
    appellant: Address | None
    appeal_bond: str
    state: str
    phase_ends: int | None
    rounds: tuple[RoundRow, ...]
    fee_per_seat: str
    own_lost: str | None
    votes_lost: str | None
    bonds_returned: str | None
    burned: str | None
    summary: str


class DisputePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some disputes, the newest first; ``total``: how many there are in that state."""

    at: At
    total: int
    disputes: tuple[DisputeRow, ...]


class JurorRow(msgspec.Struct, frozen=True, kw_only=True):
    """A juror of a round, 1 or 2.

    ``said``: guilty, not guilty, abstain, committed or nothing; ``digest``: of its own result.
    """

    round: int
    miner: NodeId
    seats: int
    said: str
    digest: str
    paid: str
    fined: str
    settled: bool


class FlowRow(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved: kinds bond, own_stake, votes, fine (taken), and returned, juror, burned (where it went)."""

    kind: str
    who: str
    amount: str
    transaction: str


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispute is about.

    Attributes:
        parameters_hash: of the task's parameters, which only the parties show.
        pictures: hashes of the pixels.
        profile: what the miner says that it ran on.
    """

    task: TaskId
    assignment_hash: str
    parameters_hash: str
    pictures: tuple[str, ...]
    profile: RuntimeProfile
    finished_at: int


class DisputeDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute in full; ``shown_at``: where its coordinator shows parameters and pictures, "" if it has no address."""

    dispute: DisputeRow
    evidence: EvidenceRow | None
    shown_at: str
    jurors: tuple[JurorRow, ...]
    flows: tuple[FlowRow, ...]


class DisputeView(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute in full, and the block at which it is so."""

    at: At
    detail: DisputeDetail
