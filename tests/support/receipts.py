"""A picture and the receipt for it, signed by a miner and a coordinator."""

import hashlib

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.domain.task import TaskParameters
from cuckoo.protocol.messages import ReceiptView
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.protocol.signing import Signer
from tests.support.coordinating import DOMAIN, HASHER, PROFILE, png

COORDINATOR_KEY, MINER_KEY = Signer(b"\x22" * 32), Signer(b"\x33" * 32)
PICTURE, PIXELS = png()
PARAMETERS = TaskParameters(
    salt=bytes(32),
    model_digest=ModelDigest("ab" * 32),
    prompt="빨간 사과",
    width_px=64,
    height_px=64,
    steps=4,
    guidance_thousandths=4_000,
    seed=7,
)


def receipt_view(**changes):
    """Return a right one; ``changes`` go into the receipt before it is signed."""
    assignment = Assignment(
        coordinator_node=NodeId(1),
        miner_node=NodeId(2),
        task_id=TaskId("0a" * 16),
        attempt=1,
        sequence=5,
        parameters=PARAMETERS,
        price=Wei(7),
        deadline=1_700_000_060,
        seed_tip=b"\x03" * 32,
        draw_index=9,
        draw_head=b"\x04" * 32,
        draw_block=12,
    )
    fields = {
        "assignment_hash": assignment.struct_hash(),
        "picture_hashes": (b"\x09" * 32, PIXELS),
        "latents_root": hashlib.sha256(b"latents").digest(),
        "profile": PROFILE,
        "finished_at": 1_700_000_000,
    }
    receipt = Receipt(**(fields | changes))
    return ReceiptView(
        assignment=assignment,
        assignment_signature=COORDINATOR_KEY.sign(HASHER.digest(assignment.struct_hash())),
        receipt=receipt,
        receipt_signature=MINER_KEY.sign(HASHER.digest(receipt.struct_hash())),
        chain_id=DOMAIN.chain_id,
        staking=DOMAIN.staking,
    )
