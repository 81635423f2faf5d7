"""The latents of a finished job in a file, so that single steps of it can be shown with proofs. Never imports torch.

A file is the number of pictures and of latents of each (u16, big-endian), the leaves of the Merkle tree, and then the
latents in the same order; all of one size.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

from cuckoo.domain.errors import NotFound
from cuckoo.domain.keccak import merkle_proof
from cuckoo.protocol.messages import Challenge, OpenedLatents
from cuckoo.protocol.openings import wanted

_HEAD = struct.Struct(">HH")
_LEAF = 32


def write(path: Path, leaves: Sequence[bytes], latents: Sequence[Sequence[bytes]]) -> None:
    """Write the latents of every picture after every step, entry 0 of each being its starting noise."""
    with path.open("wb") as file:
        file.write(_HEAD.pack(len(latents), len(latents[0])))
        file.writelines(leaves)
        for steps in latents:
            file.writelines(steps)


def opened(path: Path, challenge: Challenge) -> tuple[OpenedLatents, ...]:
    """Read the latents that a challenge asks for, with the proofs that they are among what was signed.

    Raises:
        NotFound: there is no such file, or no such picture or step in it.
    """
    picture, step = challenge.picture, challenge.step
    try:
        with path.open("rb") as file:
            pictures, each = _HEAD.unpack(file.read(_HEAD.size))
            if not (0 <= picture < pictures and 0 <= step < each - 1):
                raise NotFound(f"show step {step} of picture {picture}: {pictures} x {each} latents were kept")
            leaves = [file.read(_LEAF) for _ in range(pictures * each)]
            start = file.tell()
            size = (file.seek(0, 2) - start) // len(leaves)
            found = []
            for number in wanted(challenge, each - 1):
                leaf = picture * each + number
                file.seek(start + leaf * size)
                proof = tuple(merkle_proof(leaves, leaf))
                found.append(OpenedLatents(step=number, payload=file.read(size), proof=proof))
            return tuple(found)
    except (OSError, struct.error) as error:
        raise NotFound(f"show step {step} of picture {picture}: no latents were kept ({error})") from error
