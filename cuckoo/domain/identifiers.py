"""Identifiers, each with a type of its own so that they are not mixed up."""

import re
from enum import IntEnum
from typing import NewType

from cuckoo.domain.errors import InvalidField

NodeId = NewType("NodeId", int)
"""A registered miner or coordinator: uint32 from 1."""

TaskId = NewType("TaskId", str)
"""A task: 16 random bytes as 32 lower-case hex digits."""

Address = NewType("Address", str)
"""An account on the chain, EIP-55 checksummed, with 0x."""

ModelDigest = NewType("ModelDigest", str)
"""sha256 over the files of a model, as 64 lower-case hex digits."""

_TASK_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Role(IntEnum):
    """What a node is registered as; the numbers are those of the contracts."""

    MINER = 0
    COORDINATOR = 1


def task_id(random_bytes: bytes) -> TaskId:
    """Make a task id out of 16 random bytes."""
    if len(random_bytes) != 16:
        raise ValueError(f"a task id is made of 16 bytes, not {len(random_bytes)}")
    return TaskId(random_bytes.hex())


def parse_task_id(text: str) -> TaskId:
    """Read a task id; raises InvalidField when it is not 32 hex digits."""
    if not _TASK_ID.fullmatch(text):
        raise InvalidField("task", text, "a task id is 32 lower-case hex digits")
    return TaskId(text)


def parse_model_digest(text: str) -> ModelDigest:
    """Read a model digest; raises InvalidField when it is not 64 hex digits."""
    if not _DIGEST.fullmatch(text):
        raise InvalidField("model", text, "a model digest is 64 lower-case hex digits")
    return ModelDigest(text)
