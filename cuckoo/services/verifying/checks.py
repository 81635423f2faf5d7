"""What a verification finds: checks, each with a sentence for people."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class State(StrEnum):
    """How a check ended. ``UNCHECKED``: it could not be made; says why."""

    RIGHT = "right"
    WRONG = "wrong"
    UNCHECKED = "unchecked"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check; ``detail`` is a sentence for people."""

    name: str
    state: State
    detail: str


def check(name: str, holds: bool, detail: str, otherwise: str) -> Check:
    """Make a check out of a fact: ``detail`` where it holds, ``otherwise`` where it does not."""
    return Check(name=name, state=State.RIGHT if holds else State.WRONG, detail=detail if holds else otherwise)


def verdict(checks: Sequence[Check]) -> State:
    """Sum up: wrong when anything is; unchecked when anything could not be checked; else right."""
    states = {check.state for check in checks}
    return next((state for state in (State.WRONG, State.UNCHECKED) if state in states), State.RIGHT)
