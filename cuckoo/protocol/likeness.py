"""Whether two makers of one task made the same pictures."""

import msgspec

from cuckoo.domain.task import RuntimeProfile
from cuckoo.domain.tolerance import EQUAL, Likeness, tolerance
from cuckoo.protocol.png import difference


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody made of a task.

    Attributes:
        picture_hashes: pixel hashes, in order.
        pictures: PNG files with these pixels, in order.
    """

    profile: RuntimeProfile
    picture_hashes: tuple[bytes, ...]
    latents_root: bytes
    pictures: tuple[bytes, ...]


def compare(one: Made, other: Made) -> Likeness:
    """Compare what two made of one task.

    Where the runtime profiles are equal, pixels and latents have to be; elsewhere pictures may lie apart as far as
    honest ones do.
    """
    bounds = tolerance(one.profile, other.profile)
    same = one.picture_hashes == other.picture_hashes
    if bounds is EQUAL:
        return Likeness.SAME if same and one.latents_root == other.latents_root else Likeness.DIFFERENT
    if same:
        return Likeness.SAME
    if len(one.pictures) != len(other.pictures):
        return Likeness.DIFFERENT
    found = {bounds.judge(difference(*pair)[0]) for pair in zip(one.pictures, other.pictures, strict=True)}
    return next((worst for worst in (Likeness.DIFFERENT, Likeness.UNCLEAR) if worst in found), Likeness.SAME)
