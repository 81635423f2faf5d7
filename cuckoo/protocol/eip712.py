"""EIP-712 hashing with type hashes computed once.

Every struct that is signed anywhere in Cuckoo is hashed here, and nowhere else; docs/protocol.md repeats the type
strings. eth-account's typed-data path gives the same values ten times slower and is the reference in the tests.

Source: EIP-712, definition of ``hashStruct`` and ``encodeData``.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.keccak import keccak256
from cuckoo.domain.task import RuntimeProfile, TaskParameters

DOMAIN_NAME = "Cuckoo"
DOMAIN_VERSION = "1"

OPERATOR_CONSENT = "OperatorConsent(address owner,uint8 role,address operator,uint256 deadline)"
SIGN_IN = (
    "SignIn(uint32 coordinatorNode,string origin,uint32 minerNode,"
    "bytes32 minerNonce,bytes32 coordinatorNonce,uint64 expiry)"
)
TASK_PARAMETERS = (
    "TaskParameters(bytes32 salt,string mode,bytes32 modelDigest,string prompt,string negativePrompt,"
    "uint32 widthPx,uint32 heightPx,uint16 pictures,uint16 steps,string scheduler,uint32 guidanceThousandths,"
    "uint64 seed,bytes32 sourceHash,bytes32 maskHash,uint32 strengthMillionths,bytes32 lorasHash,bool reproducible)"
)
ASSIGNMENT = (
    "Assignment(uint32 coordinatorNode,uint32 minerNode,bytes16 taskId,uint16 attempt,uint64 sequence,"
    "TaskParameters parameters,uint256 price,uint64 deadline,bytes32 seedTip,uint64 drawIndex,bytes32 drawHead,"
    "uint64 drawBlock)" + TASK_PARAMETERS
)
RUNTIME_PROFILE = (
    "RuntimeProfile(string device,string dtype,string torch,string attention,uint16 threads,string isa,"
    "uint16 batchBucket)"
)
RECEIPT = (
    "Receipt(bytes32 assignmentHash,bytes32[] pictureHashes,bytes32 latentsRoot,RuntimeProfile profile,"
    "uint64 finishedAt)" + RUNTIME_PROFILE
)
EVIDENCE_REQUEST = "EvidenceRequest(uint32 minerNode,uint256 dispute,bytes32 sha256,uint64 expiry)"
VOUCHER = "Voucher(uint32 coordinatorNode,uint32 minerNode,uint256 cumulative)"

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


def _type_hash(type_string: str) -> bytes:
    return keccak256(type_string.encode())


_DOMAIN_HASH = _type_hash(_DOMAIN_TYPE)
_OPERATOR_CONSENT_HASH = _type_hash(OPERATOR_CONSENT)
_SIGN_IN_HASH = _type_hash(SIGN_IN)
_TASK_PARAMETERS_HASH = _type_hash(TASK_PARAMETERS)
_ASSIGNMENT_HASH = _type_hash(ASSIGNMENT)
_RUNTIME_PROFILE_HASH = _type_hash(RUNTIME_PROFILE)
_RECEIPT_HASH = _type_hash(RECEIPT)
_EVIDENCE_REQUEST_HASH = _type_hash(EVIDENCE_REQUEST)
_VOUCHER_HASH = _type_hash(VOUCHER)


def _uint(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _text(value: str) -> bytes:
    return keccak256(value.encode())


def _address(value: str) -> bytes:
    return bytes(12) + bytes.fromhex(value[2:])


def _bytes32(value: bytes) -> bytes:
    if len(value) != 32:
        raise ValueError(f"bytes32 takes 32 bytes, not {len(value)}")
    return value


class Domain(msgspec.Struct, frozen=True):
    """The one EIP-712 domain: this chain, this Staking contract."""

    chain_id: int
    staking: Address

    @property
    def separator(self) -> bytes:
        """The domain separator, 32 bytes."""
        return keccak256(
            _DOMAIN_HASH + _text(DOMAIN_NAME) + _text(DOMAIN_VERSION) + _uint(self.chain_id) + _address(self.staking),
        )

    def digest(self, struct_hash: bytes) -> bytes:
        """Return what is signed: keccak(0x1901 | separator | struct hash)."""
        return keccak256(b"\x19\x01" + self.separator + struct_hash)


class Hasher:
    """A domain with its separator computed once, for hot paths."""

    def __init__(self, domain: Domain) -> None:
        """Bind to one chain and one Staking contract."""
        self.domain = domain
        self._prefix = b"\x19\x01" + domain.separator

    def digest(self, struct_hash: bytes) -> bytes:
        """Return what is signed for a struct hash."""
        return keccak256(self._prefix + struct_hash)


def hash_operator_consent(owner: Address, role: Role, operator: Address, deadline: int) -> bytes:
    """Hash an operator's consent to run a node of ``owner``; ``deadline`` in unix seconds."""
    return keccak256(
        _OPERATOR_CONSENT_HASH + _address(owner) + _uint(role) + _address(operator) + _uint(deadline),
    )


def hash_sign_in(
    coordinator_node: NodeId,
    origin: str,
    miner_node: NodeId,
    miner_nonce: bytes,
    coordinator_nonce: bytes,
    expiry: int,
) -> bytes:
    """Hash a sign-in, which both sides sign; ``origin`` is scheme://host[:port] as the miner reached it."""
    return keccak256(
        _SIGN_IN_HASH
        + _uint(coordinator_node)
        + _text(origin)
        + _uint(miner_node)
        + _bytes32(miner_nonce)
        + _bytes32(coordinator_nonce)
        + _uint(expiry),
    )


def hash_task_parameters(p: TaskParameters) -> bytes:
    """Hash the parameters of a task, salt included."""
    return keccak256(
        b"".join(
            (
                _TASK_PARAMETERS_HASH,
                _bytes32(p.salt),
                _text(p.mode),
                _bytes32(bytes.fromhex(p.model_digest)),
                _text(p.prompt),
                _text(p.negative_prompt),
                _uint(p.width_px),
                _uint(p.height_px),
                _uint(p.pictures),
                _uint(p.steps),
                _text(p.scheduler),
                _uint(p.guidance_thousandths),
                _uint(p.seed),
                _bytes32(p.source_hash),
                _bytes32(p.mask_hash),
                _uint(p.strength_millionths),
                _bytes32(p.loras_hash),
                _uint(p.reproducible),
            ),
        ),
    )


def hash_assignment(  # noqa: PLR0913  the fields of the struct
    *,
    coordinator_node: NodeId,
    miner_node: NodeId,
    task_id: bytes,
    attempt: int,
    sequence: int,
    parameters_hash: bytes,
    price: int,
    deadline: int,
    seed_tip: bytes,
    draw_index: int,
    draw_head: bytes,
    draw_block: int,
) -> bytes:
    """Hash an assignment from its fields; this is the ``assignmentHash`` of receipts and disputes."""
    if len(task_id) != 16:
        raise ValueError(f"a task id is 16 bytes, not {len(task_id)}")
    return keccak256(
        b"".join(
            (
                _ASSIGNMENT_HASH,
                _uint(coordinator_node),
                _uint(miner_node),
                task_id + bytes(16),
                _uint(attempt),
                _uint(sequence),
                _bytes32(parameters_hash),
                _uint(price),
                _uint(deadline),
                _bytes32(seed_tip),
                _uint(draw_index),
                _bytes32(draw_head),
                _uint(draw_block),
            ),
        ),
    )


@lru_cache(maxsize=1_024)
def hash_runtime_profile(profile: RuntimeProfile) -> bytes:
    """Hash a runtime profile."""
    return keccak256(
        _RUNTIME_PROFILE_HASH
        + _text(profile.device)
        + _text(profile.dtype)
        + _text(profile.torch)
        + _text(profile.attention)
        + _uint(profile.threads)
        + _text(profile.isa)
        + _uint(profile.batch_bucket),
    )


def hash_receipt(
    assignment_hash: bytes,
    picture_hashes: Sequence[bytes],
    latents_root: bytes,
    profile: RuntimeProfile,
    finished_at: int,
) -> bytes:
    """Hash a receipt; ``picture_hashes`` are pixel hashes in the order of the pictures."""
    return keccak256(
        _RECEIPT_HASH
        + _bytes32(assignment_hash)
        + keccak256(b"".join(_bytes32(picture) for picture in picture_hashes))
        + _bytes32(latents_root)
        + hash_runtime_profile(profile)
        + _uint(finished_at),
    )


def hash_evidence_request(miner_node: NodeId, dispute: int, digest: bytes, expiry: int) -> bytes:
    """Hash a juror's request for evidence with the sha256 ``digest``; ``expiry`` in unix seconds."""
    return keccak256(
        _EVIDENCE_REQUEST_HASH + _uint(miner_node) + _uint(dispute) + _bytes32(digest) + _uint(expiry),
    )


def hash_voucher(coordinator_node: NodeId, miner_node: NodeId, cumulative_wei: int) -> bytes:
    """Hash a voucher: the cumulative amount one coordinator promises one miner."""
    return keccak256(_VOUCHER_HASH + _uint(coordinator_node) + _uint(miner_node) + _uint(cumulative_wei))
