"""The words of a dispute, with the numbers that the contract gives them."""

from enum import IntEnum


class Phase(IntEnum):
    """What can be done in a dispute now."""

    CLAIM = 0
    COMMIT = 1
    REVEAL = 2
    APPEAL = 3
    EXECUTE = 4
    ENDED = 5


class Outcome(IntEnum):
    """How a dispute ended; ``NONE`` before."""

    NONE = 0
    CONVICTED = 1
    ACQUITTED = 2
    DRAWN = 3


class Verdict(IntEnum):
    """What a juror says. ``ABSTAIN``: it can not tell."""

    NONE = 0
    GUILTY = 1
    NOT_GUILTY = 2
    ABSTAIN = 3

    @property
    def words(self) -> str:
        """Say it to a person."""
        return self.name.lower().replace("_", " ")


def coherent_with(outcome: Outcome) -> Verdict | None:
    """Return what jurors must have said to be paid; None where nobody is."""
    return {Outcome.CONVICTED: Verdict.GUILTY, Outcome.ACQUITTED: Verdict.NOT_GUILTY}.get(outcome)


def finable(verdict: Verdict, outcome: Outcome) -> bool:
    """Tell whether a juror pays for what it said: it was silent, or outvoted."""
    if verdict is Verdict.NONE:
        return True
    return verdict is not Verdict.ABSTAIN and outcome is not Outcome.DRAWN and verdict is not coherent_with(outcome)
