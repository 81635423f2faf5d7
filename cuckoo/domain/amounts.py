"""Amounts of CAI: ``int`` wei in code, decimal CAI at the human edge, never float."""

import re
from typing import NewType

from cuckoo.domain.errors import AmountInvalid

Wei = NewType("Wei", int)
"""10**-18 CAI."""

CAI = Wei(10**18)
GWEI = 10**9
MINER_MINIMUM = Wei(20_000 * CAI)
COORDINATOR_MINIMUM = Wei(2_000_000 * CAI)

_PERCENT = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,2}))?")
_DECIMAL = re.compile(r"(\d+(?:[_,]\d{3})*|\d*)(?:\.(\d{1,18}))?")


def parse_cai(text: str) -> Wei:
    """Read a decimal amount of CAI, exactly.

    Args:
        text: "20000", "20,000", "2.5"; at most 18 decimals, no sign, no exponent.

    Returns:
        The amount in wei.

    Raises:
        AmountInvalid: it is no such number, or finer than one wei.
    """
    match = _DECIMAL.fullmatch(text.strip())
    if not match or not (match[1] or match[2]):
        raise AmountInvalid(f'amount "{text}" can not be read: write CAI like 20000 or 2.5 (at most 18 decimals)')
    whole = int(re.sub("[_,]", "", match[1]) or "0")
    fraction = int((match[2] or "").ljust(18, "0"))
    amount = whole * CAI + fraction
    if amount >= 2**128:
        raise AmountInvalid(f'amount "{text}" is larger than all CAI there is (1,000,000,000)')
    return Wei(amount)


def format_cai(wei: int, *, grouped: bool = True) -> str:
    """Write wei as decimal CAI with all digits that matter: "20,000", "2.5", "0.000000000000000001"."""
    sign = "-" if wei < 0 else ""
    whole, fraction = divmod(abs(wei), CAI)
    text = f"{whole:,}" if grouped else str(whole)
    if fraction:
        text += "." + f"{fraction:018d}".rstrip("0")
    return sign + text


def parse_percent(text: str, field: str) -> int:
    """Read a percentage such as "10" or "7.5" as 1/10,000, exactly.

    Raises:
        AmountInvalid: it is none, or has more than two decimals; names the field.
    """
    match = _PERCENT.fullmatch(text.strip().removesuffix("%").strip())
    if not match:
        raise AmountInvalid(f'read {field}: "{text}" is no percentage: write 10 or 7.5 (at most two decimals)')
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def parse_gwei(text: str) -> int:
    """Read a gas price of decimal gwei, exactly, as wei of the native coin; raises AmountInvalid."""
    wei, finer = divmod(parse_cai(text), GWEI)
    if finer:
        raise AmountInvalid(f'gas price "{text}" can not be read: write gwei with at most 9 decimals')
    return wei


def format_gwei(wei: int) -> str:
    """Write a gas price as decimal gwei."""
    return format_cai(wei * GWEI, grouped=False)
