"""What everybody in the demo earned."""

from collections.abc import Mapping, Sequence

import msgspec

from cuckoo.domain.amounts import Wei


class Earned(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody earned. ``part``: what it did for that; ``pictures_wei``: income; ``stake_wei``: rewards."""

    who: str
    part: str
    pictures_wei: Wei
    stake_wei: Wei


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's money.

    Attributes:
        vouchers: by miner, the sum of its voucher in wei.
        paid_wei: what the coordinator's escrow paid out.
        fees_wei: the part of it that goes to stakers, streamed to them over a while.
        earned: by person.
    """

    vouchers: Mapping[str, Wei]
    paid_wei: Wei
    fees_wei: Wei
    earned: Sequence[Earned]
