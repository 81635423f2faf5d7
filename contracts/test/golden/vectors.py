"""One signed example of every EIP-712 struct: what is hashed, and what must come out.

``python contracts/test/golden/vectors.py`` writes ``vectors.json`` beside this file. The tests compare that file with
what coincurve and Cuckoo's own hashing, eth-account, and Solidity make of the same fields.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import Address, ModelDigest, NodeId, Role, TaskId
from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.protocol import eip712
from cuckoo.protocol.receipts import Assignment, Receipt, Voucher
from cuckoo.protocol.signing import Signer

FILE = Path(__file__).with_name("vectors.json")
KEY = bytes.fromhex("0101010101010101010101010101010101010101010101010101010101010101")
DOMAIN = eip712.Domain(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"))
OWNER = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
COORDINATOR, MINER = NodeId(1), NodeId(2)
DEADLINE = 4_000_000_000

PARAMETERS = TaskParameters(
    salt=bytes(range(32)),
    mode="image-to-image",
    model_digest=ModelDigest("ab" * 31 + "cd"),
    prompt='빨간 사과 "on" a table',
    negative_prompt="",
    width_px=2048,
    height_px=64,
    pictures=8,
    steps=150,
    scheduler="DDIMScheduler",
    guidance_thousandths=4_500,
    seed=2**63 - 1,
    source_hash=b"\x11" * 32,
    mask_hash=b"\x22" * 32,
    strength_millionths=750_000,
    loras_hash=b"\x33" * 32,
    reproducible=True,
)
ASSIGNMENT = Assignment(
    coordinator_node=COORDINATOR,
    miner_node=MINER,
    task_id=TaskId("00112233445566778899aabbccddeeff"),
    attempt=3,
    sequence=2**64 - 1,
    parameters=PARAMETERS,
    price=Wei(123_456_789_012_345_678_901),
    deadline=DEADLINE,
    seed_tip=b"\x44" * 32,
    draw_index=65_537,
    draw_head=b"\x55" * 32,
    draw_block=20_000_000,
)
PROFILE = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=16, isa="AVX512", batch_bucket=4
)
RECEIPT = Receipt(
    assignment_hash=ASSIGNMENT.struct_hash(),
    picture_hashes=(b"\x66" * 32, b"\x77" * 32),
    latents_root=b"\x88" * 32,
    profile=PROFILE,
    finished_at=DEADLINE - 1,
)
VOUCHER = Voucher(coordinator_node=COORDINATOR, miner_node=MINER, cumulative=Wei(10**21 + 1))
ORIGIN = "https://coordinator.example:8443"
MINER_NONCE, COORDINATOR_NONCE = b"\x99" * 32, b"\xaa" * 32


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _parameters() -> dict[str, Any]:
    p = PARAMETERS
    return {
        "salt": _hex(p.salt),
        "mode": p.mode,
        "modelDigest": "0x" + p.model_digest,
        "prompt": p.prompt,
        "negativePrompt": p.negative_prompt,
        "widthPx": str(p.width_px),
        "heightPx": str(p.height_px),
        "pictures": str(p.pictures),
        "steps": str(p.steps),
        "scheduler": p.scheduler,
        "guidanceThousandths": str(p.guidance_thousandths),
        "seed": str(p.seed),
        "sourceHash": _hex(p.source_hash),
        "maskHash": _hex(p.mask_hash),
        "strengthMillionths": str(p.strength_millionths),
        "lorasHash": _hex(p.loras_hash),
        "reproducible": p.reproducible,
    }


def _assignment() -> dict[str, Any]:
    a = ASSIGNMENT
    return {
        "coordinatorNode": str(a.coordinator_node),
        "minerNode": str(a.miner_node),
        "taskId": "0x" + a.task_id,
        "attempt": str(a.attempt),
        "sequence": str(a.sequence),
        "parameters": _parameters(),
        "price": str(a.price),
        "deadline": str(a.deadline),
        "seedTip": _hex(a.seed_tip),
        "drawIndex": str(a.draw_index),
        "drawHead": _hex(a.draw_head),
        "drawBlock": str(a.draw_block),
    }


def _receipt() -> dict[str, Any]:
    return {
        "assignmentHash": _hex(RECEIPT.assignment_hash),
        "pictureHashes": [_hex(picture) for picture in RECEIPT.picture_hashes],
        "latentsRoot": _hex(RECEIPT.latents_root),
        "profile": {
            "device": PROFILE.device,
            "dtype": PROFILE.dtype,
            "torch": PROFILE.torch,
            "attention": PROFILE.attention,
            "threads": str(PROFILE.threads),
            "isa": PROFILE.isa,
            "batchBucket": str(PROFILE.batch_bucket),
        },
        "finishedAt": str(RECEIPT.finished_at),
    }


def vectors() -> dict[str, Any]:
    """Hash and sign every example with Cuckoo's own code.

    Returns:
        What stands in the file. Integers are decimal strings, bytes are hex with 0x.
    """
    signer = Signer(KEY)
    pair = {"coordinatorNode": str(COORDINATOR), "minerNode": str(MINER)}
    nonces = {"minerNonce": _hex(MINER_NONCE), "coordinatorNonce": _hex(COORDINATOR_NONCE)}
    examples: dict[str, tuple[str, bytes, dict[str, Any]]] = {
        "operatorConsent": (
            eip712.OPERATOR_CONSENT,
            eip712.hash_operator_consent(OWNER, Role.COORDINATOR, signer.address, DEADLINE),
            {
                "owner": OWNER,
                "role": str(int(Role.COORDINATOR)),
                "operator": signer.address,
                "deadline": str(DEADLINE),
            },
        ),
        "signIn": (
            eip712.SIGN_IN,
            eip712.hash_sign_in(COORDINATOR, ORIGIN, MINER, MINER_NONCE, COORDINATOR_NONCE, DEADLINE),
            {**pair, "origin": ORIGIN, **nonces, "expiry": str(DEADLINE)},
        ),
        "taskParameters": (eip712.TASK_PARAMETERS, eip712.hash_task_parameters(PARAMETERS), _parameters()),
        "assignment": (eip712.ASSIGNMENT, ASSIGNMENT.struct_hash(), _assignment()),
        "receipt": (eip712.RECEIPT, RECEIPT.struct_hash(), _receipt()),
        "voucher": (eip712.VOUCHER, VOUCHER.struct_hash(), {**pair, "cumulative": str(VOUCHER.cumulative)}),
    }
    signed = {}
    for name, (type_string, struct_hash, fields) in examples.items():
        digest = DOMAIN.digest(struct_hash)
        signed[name] = {
            "type": type_string,
            "fields": fields,
            "structHash": _hex(struct_hash),
            "digest": _hex(digest),
            "signature": _hex(signer.sign(digest)),
        }
    return {
        "chainId": str(DOMAIN.chain_id),
        "staking": DOMAIN.staking,
        "domainSeparator": _hex(DOMAIN.separator),
        "privateKey": _hex(KEY),
        "signer": signer.address,
        **signed,
    }


def text() -> str:
    """The file's text."""
    return json.dumps(vectors(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
    sys.stdout.write(f"wrote {FILE.name}\n")
