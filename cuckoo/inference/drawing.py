"""A drawing while it is made, and as it leaves the child. Needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from cuckoo.domain.errors import CuckooError
from cuckoo.domain.keccak import latent_leaf, merkle_root
from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.protocol.receipts import pixel_hash

_PNG_LEVEL = 1
"""zlib level: at 1024 px six times faster than the default, for a tenth more bytes; the pixels are the same."""


class JobStopped(CuckooError):
    """The job was cancelled while it ran."""

    code = "job_stopped"


@dataclass(frozen=True)
class Watch:
    """What a run calls while it works.

    Attributes:
        stopped: asked after every step; True ends the run.
        progress: gets (steps done, steps in all, preview PNG or b"").
        nearly: called once the last step begins: another job may be sent for.
        preview_every: steps between two previews; 0 for none.
    """

    stopped: Callable[[], bool]
    progress: Callable[[int, int, bytes], None]
    nearly: Callable[[], None]
    preview_every: int = 0


@dataclass(frozen=True)
class Asked:
    """A task, who watches it, and its inputs in the order of ``parameters.inputs``."""

    parameters: TaskParameters
    watch: Watch
    inputs: tuple[bytes, ...] = ()


@dataclass
class Drawing:
    """Pixels and latents of a job, before they are encoded and hashed.

    Attributes:
        profile: what decided the pixels.
        pictures: RGB images.
        latents: per picture, after every step, float32 little-endian bytes; entry 0 is the starting noise.
        step_s: seconds of every step.
    """

    profile: RuntimeProfile
    pictures: list[Image.Image] = field(default_factory=list)
    latents: list[list[bytes]] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Encoded:
    """A drawing as it leaves the child: PNG files, pixel hashes, the leaves over the latents and their Merkle root."""

    pictures: list[bytes]
    picture_hashes: list[bytes]
    leaves: list[bytes]
    latents_root: bytes


def encode(drawing: Drawing) -> Encoded:
    """Encode pictures as PNG and hash pixels and latents; touches no torch, so it may run beside the next job."""
    leaves = [
        latent_leaf(picture, step, payload)
        for picture, steps in enumerate(drawing.latents)
        for step, payload in enumerate(steps)
    ]
    return Encoded(
        pictures=[png(image) for image in drawing.pictures],
        picture_hashes=[pixel_hash(image.height, image.width, image.tobytes()) for image in drawing.pictures],
        leaves=leaves,
        latents_root=merkle_root(leaves),
    )


def png(image: Image.Image) -> bytes:
    """Encode a picture as a PNG file."""
    out = BytesIO()
    image.save(out, "PNG", compress_level=_PNG_LEVEL)
    return out.getvalue()
