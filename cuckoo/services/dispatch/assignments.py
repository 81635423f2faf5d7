"""Turn a decision to assign into a signed assignment, and into what is stored and remembered of it."""

from typing import NamedTuple

import msgspec

from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.eip712 import Hasher
from cuckoo.protocol.messages import SignedAssignment, encode_binary
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.signing import Signer
from cuckoo.scheduler.decisions import AssignTask
from cuckoo.services.dispatch.live import LiveAttempt, LiveTask
from cuckoo.storage.records import NewAttempt


class Coordinator(msgspec.Struct, frozen=True):
    """Who coordinates: the registered node, its operator's key, the domain it signs in, the network's draw period."""

    node_id: NodeId
    signer: Signer
    hasher: Hasher
    draw_period_s: int


class MadeAssignment(NamedTuple):
    """A signed assignment: for the miner, for the store, for memory."""

    signed: SignedAssignment
    record: NewAttempt
    live: LiveAttempt


def sign_assignment(coordinator: Coordinator, task: LiveTask, decision: AssignTask) -> MadeAssignment:
    """Write and sign the assignment that a decision asks for; it must be stored before it leaves."""
    assignment = Assignment(
        coordinator_node=coordinator.node_id,
        miner_node=decision.node,
        task_id=decision.task_id,
        attempt=decision.attempt,
        sequence=decision.sequence,
        parameters=task.parameters,
        price=decision.price_wei,
        deadline=decision.deadline,
        seed_tip=decision.seed_tip,
        draw_index=decision.draw_index,
        draw_head=decision.draw_head,
        draw_block=decision.draw_block,
    )
    assignment_hash = assignment.struct_hash()
    signature = coordinator.signer.sign(coordinator.hasher.digest(assignment_hash))
    odds = decision.weight_wei / decision.total_wei
    record = NewAttempt(
        task_id=decision.task_id,
        attempt=decision.attempt,
        coordinator_node=coordinator.node_id,
        miner_node=decision.node,
        sequence=decision.sequence,
        assignment=encode_binary(assignment),
        assignment_hash=assignment_hash,
        signature=signature,
        deadline=decision.deadline,
        assigned_at=decision.assigned_at,
        seed_tip=decision.seed_tip,
        draw_index=decision.draw_index,
        draw_head=decision.draw_head,
        draw_block=decision.draw_block,
        odds=odds,
        candidates=decision.candidates,
    )
    live = LiveAttempt(
        attempt=decision.attempt,
        node=decision.node,
        odds=odds,
        candidates=decision.candidates,
        draw_index=decision.draw_index,
        deadline=decision.deadline,
        assigned_at=decision.assigned_at,
        assignment_hash=assignment_hash,
    )
    return MadeAssignment(
        SignedAssignment(assignment=assignment, signature=signature, prefetched=decision.prefetched), record, live
    )
