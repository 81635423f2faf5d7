"""What came of a dispute, in numbers and in words."""

import msgspec

from cuckoo.chain.disputelog import Ending
from cuckoo.chain.disputes import Dispute, Round
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.dispute import Outcome


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute with its rounds; ``ending`` is None before its end."""

    dispute: Dispute
    rounds: tuple[Round, ...]
    ending: Ending | None = None

    @property
    def paid_wei(self) -> Wei:
        """What jurors get in all, once they are settled."""
        guilty = self.dispute.outcome is Outcome.CONVICTED
        seats = sum(one.guilty if guilty else one.not_guilty for one in self.rounds)
        return Wei(seats * self.dispute.fee_wei)

    @property
    def bonds_wei(self) -> Wei:
        """All that was put down."""
        return Wei(self.dispute.bond_wei + self.dispute.appeal_bond_wei)

    @property
    def burned_wei(self) -> Wei:
        """What nobody gets: what came in, by bonds and by the slash, less what went back and to jurors."""
        if self.ending is None:
            return Wei(0)
        return Wei(self.bonds_wei + self.ending.lost_wei - self.ending.returned_wei - self.paid_wei)

    @property
    def words(self) -> str:
        """Say it to a person: "miner 4 was convicted by 17 of 21 seats and lost 1,000 CAI; 500 CAI burned"."""
        dispute, last, ending = self.dispute, self.rounds[-1], self.ending
        if ending is None:
            return f"miner {dispute.miner} is accused: {last.claimed} seats are taken"
        burned = f"{format_cai(self.burned_wei)} CAI burned"
        if dispute.outcome is Outcome.CONVICTED:
            return (
                f"miner {dispute.miner} was convicted by {last.guilty} of {last.claimed} seats "
                f"and lost {format_cai(ending.lost_wei)} CAI; {burned}"
            )
        if dispute.outcome is Outcome.ACQUITTED:
            lost_wei = self.bonds_wei - ending.returned_wei
            return (
                f"miner {dispute.miner} was acquitted by {last.not_guilty} of {last.claimed} seats "
                f"and its accuser lost {format_cai(lost_wei)} CAI; {burned}"
            )
        return (
            f"nothing was decided about miner {dispute.miner}: of {last.claimed} seats {last.guilty} said guilty, "
            f"{last.not_guilty} not guilty, {last.abstained} abstained; all bonds went back"
        )
