"""Disputes in the words and numbers that people read, in the portal and by ``cuckoo disputes``."""

from cuckoo.chain.disputelog import Accusation
from cuckoo.domain.amounts import format_cai
from cuckoo.protocol.portal_disputes import DisputeDetail, DisputeRow, EvidenceRow, FlowRow, JurorRow, RoundRow
from cuckoo.services.disputing.record import JurorRecord, Record
from cuckoo.services.disputing.results import Result


def row_of(result: Result) -> DisputeRow:
    """Show a dispute in a list."""
    dispute, ending = result.dispute, result.ending
    return DisputeRow(
        dispute=dispute.dispute_id,
        fault=dispute.fault_id.hex(),
        miner=dispute.miner,
        coordinator=dispute.coordinator,
        accuser=dispute.accuser,
        bond=_cai(dispute.bond_wei),
        appellant=dispute.appellant,
        appeal_bond=_cai(dispute.appeal_bond_wei),
        state=(dispute.outcome.name if dispute.outcome else dispute.phase.name).lower(),
        phase_ends=dispute.phase_ends or None,
        rounds=tuple(
            RoundRow(
                started_at=one.started_at,
                expected=one.expected,
                claimed=one.claimed,
                guilty=one.guilty,
                not_guilty=one.not_guilty,
                abstained=one.abstained,
            )
            for one in result.rounds
        ),
        fee_per_seat=_cai(dispute.fee_wei),
        own_lost=_cai(ending.own_wei) if ending else None,
        votes_lost=_cai(ending.votes_wei) if ending else None,
        bonds_returned=_cai(ending.returned_wei) if ending else None,
        burned=_cai(result.burned_wei) if ending else None,
        summary=result.words,
    )


def detail_of(record: Record, coordinator_url: str = "") -> DisputeDetail:
    """Show a dispute in full; ``coordinator_url``: where its coordinator is reached, "" where that is not known."""
    row = row_of(record.result)
    return DisputeDetail(
        dispute=row,
        evidence=None if record.evidence is None else _evidence(record.evidence),
        shown_at=f"{coordinator_url.rstrip('/')}/v1/disputes/{row.dispute}" if coordinator_url else "",
        jurors=tuple(_juror(one) for one in record.jurors),
        flows=tuple(
            FlowRow(kind=one.kind, who=one.who, amount=_cai(one.amount_wei), transaction="0x" + one.transaction.hex())
            for one in record.flows
        ),
    )


def _evidence(one: Accusation) -> EvidenceRow:
    return EvidenceRow(
        task=one.task_id,
        assignment_hash=one.assignment_hash.hex(),
        parameters_hash=one.parameters_hash.hex(),
        pictures=tuple(each.hex() for each in one.receipt.picture_hashes),
        profile=one.receipt.profile,
        finished_at=one.receipt.finished_at,
    )


def _juror(one: JurorRecord) -> JurorRow:
    said = one.seats.verdict.words if one.seats.verdict else "committed" if one.seats.committed else "nothing"
    return JurorRow(
        round=one.round + 1,
        miner=one.node,
        seats=one.seats.seats,
        said=said,
        digest=one.digest.hex(),
        paid=_cai(one.paid_wei),
        fined=_cai(one.fined_wei),
        settled=one.seats.settled,
    )


def _cai(wei: int) -> str:
    return format_cai(wei, grouped=False)
