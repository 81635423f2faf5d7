"""Assignments, receipts and vouchers: the three things whose signatures bind somebody."""

import hashlib
from typing import Annotated

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import PICTURES_MAX, RuntimeProfile, TaskParameters
from cuckoo.protocol import eip712


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a task, given to one miner, signed by the coordinator.

    Attributes:
        attempt: 1 for the first.
        sequence: rises per (coordinator, miner), never used twice.
        price: wei for the whole attempt; 0 where nothing is paid.
        deadline: unix seconds.
        seed_tip: the tip of the hash chain whose links seed the draws, 32 bytes.
        draw_index: index of the draw under that tip.
        draw_head: head of the draw log after the draw's row, 32 bytes.
        draw_block: number of the block whose hash went into the draw's seed.
    """

    coordinator_node: NodeId
    miner_node: NodeId
    task_id: TaskId
    attempt: int
    sequence: int
    parameters: TaskParameters
    price: Wei = Wei(0)
    deadline: int
    seed_tip: bytes
    draw_index: int
    draw_head: bytes
    draw_block: int

    def struct_hash(self) -> bytes:
        """Return the assignment hash that receipts and disputes name."""
        return eip712.hash_assignment(
            coordinator_node=self.coordinator_node,
            miner_node=self.miner_node,
            task_id=bytes.fromhex(self.task_id),
            attempt=self.attempt,
            sequence=self.sequence,
            parameters_hash=eip712.hash_task_parameters(self.parameters),
            price=self.price,
            deadline=self.deadline,
            seed_tip=self.seed_tip,
            draw_index=self.draw_index,
            draw_head=self.draw_head,
            draw_block=self.draw_block,
        )


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a miner signs about the pictures it made.

    Attributes:
        assignment_hash: struct hash of the assignment, 32 bytes.
        picture_hashes: pixel hash of each picture, in order.
        latents_root: Merkle root over the latents of every picture and step.
        profile: what decided the exact pixels besides the task.
        finished_at: unix seconds.
    """

    assignment_hash: bytes
    picture_hashes: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=PICTURES_MAX)]
    latents_root: bytes
    profile: RuntimeProfile
    finished_at: int

    def struct_hash(self) -> bytes:
        """Return the EIP-712 struct hash."""
        return eip712.hash_receipt(
            self.assignment_hash,
            self.picture_hashes,
            self.latents_root,
            self.profile,
            self.finished_at,
        )


class Voucher(msgspec.Struct, frozen=True, kw_only=True):
    """The coordinator's cumulative promise to pay one miner, in wei."""

    coordinator_node: NodeId
    miner_node: NodeId
    cumulative: Wei

    def struct_hash(self) -> bytes:
        """Return the EIP-712 struct hash."""
        return eip712.hash_voucher(self.coordinator_node, self.miner_node, self.cumulative)


def pixel_hash(height_px: int, width_px: int, rgb_rows: bytes) -> bytes:
    """Hash the pixels of a picture, whatever file format carries them.

    Args:
        height_px, width_px: image sides.
        rgb_rows: height x width x 3 bytes, RGB8, row by row from the top.

    Returns:
        sha256 of height (u32 big-endian), width (u32 big-endian), rows.
    """
    if len(rgb_rows) != height_px * width_px * 3:
        raise ValueError(f"{len(rgb_rows)} bytes are no RGB picture of {width_px} x {height_px}")
    return hashlib.sha256(height_px.to_bytes(4, "big") + width_px.to_bytes(4, "big") + rgb_rows).digest()
