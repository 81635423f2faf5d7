"""Bring a signed result to its coordinator, for days if it takes that."""

import random
from collections.abc import Callable

import structlog

from cuckoo.domain.errors import (
    BodyTooLarge,
    Conflict,
    InvalidField,
    NotFound,
    Overloaded,
    PeerFault,
    SignatureInvalid,
    TransientError,
    UnknownVersion,
)
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.messages import ResultUpload, SubmitReply, decode_binary
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.retry import backoff_s
from cuckoo.services.mining.connection import BACKOFF_CAP_S, Connection
from cuckoo.services.mining.latents import KeptLatents
from cuckoo.services.mining.seams import ReceiptStore
from cuckoo.storage.records import ReceiptState, StoredReceipt

log = structlog.get_logger(__name__)

GIVE_UP_S = 6 * 86_400.0
"""Age after which no coordinator wants a result any more; its upload is deleted a day later."""

REFUSALS = (BodyTooLarge, Conflict, InvalidField, NotFound, SignatureInvalid, UnknownVersion)
"""Answers that are about the result itself. Any other, such as that of a proxy in between, is tried again."""


def _nothing() -> None:
    return None


async def deliver(
    stored: StoredReceipt,
    receipts: ReceiptStore,
    latents: KeptLatents,
    connection_of: Callable[[NodeId], Connection | None],
    clock: Clock,
    *,
    on_delay: Callable[[], None] = _nothing,
) -> None:
    """Upload a result until the coordinator accepts or refuses it, and store its answer.

    A coordinator that asks for a step first is shown it. A result that nobody answered for six days counts as refused.

    Args:
        stored: the receipt; a settled one is left alone.
        receipts: where its upload lies.
        latents: where its latents lie; let go of at the end.
        connection_of: the present connection to a coordinator, None while the chain names none.
        clock: time.
        on_delay: called when a try came to nothing, or more is asked for.
    """
    await _deliver(stored, receipts, latents, connection_of, clock, on_delay)
    latents.drop(stored.assignment_hash)


async def _deliver(
    stored: StoredReceipt,
    receipts: ReceiptStore,
    latents: KeptLatents,
    connection_of: Callable[[NodeId], Connection | None],
    clock: Clock,
    on_delay: Callable[[], None],
) -> None:
    if stored.state is not ReceiptState.SIGNED:
        return
    upload: ResultUpload | None = None
    bound = log.bind(task=stored.task_id, attempt=stored.attempt, coordinator=stored.coordinator_node)
    tries = 0
    while clock.now() < stored.signed_at + GIVE_UP_S:
        upload = upload or decode_binary(await receipts.result(stored), ResultUpload)
        wait_s = backoff_s(tries, cap_s=BACKOFF_CAP_S, draw=random.random)
        connection = connection_of(stored.coordinator_node)
        if connection is not None:
            connection.in_use += 1
            try:
                reply = await connection.submit(stored.task_id, stored.attempt, upload)
                if reply.challenge is not None:
                    on_delay()
                    reply = await _show(reply, stored, latents, connection)
            except REFUSALS as fault:
                bound.warning("result refused", reason=str(fault))
                await receipts.settle(stored.assignment_hash, accepted=False, reply=str(fault).encode())
                return
            except (TransientError, PeerFault) as error:
                if isinstance(error, Overloaded):
                    wait_s = min(max(error.retry_after_s, wait_s), BACKOFF_CAP_S)
                bound.info("result not delivered yet", reason=str(error), again_in_s=round(wait_s, 2))
            else:
                if not reply.audited:
                    bound.info("result accepted")
                    await connection.accept(stored, reply)
                    return
                bound.info("result accepted, and checked before it is paid")
            finally:
                connection.in_use -= 1
        tries += 1
        on_delay()
        await clock.sleep(wait_s)
    reason = f"no answer for {GIVE_UP_S / 86_400:g} days"
    bound.warning("result given up", reason=reason)
    await receipts.settle(stored.assignment_hash, accepted=False, reply=reason.encode())


async def _show(reply: SubmitReply, stored: StoredReceipt, latents: KeptLatents, connection: Connection) -> SubmitReply:
    """Answer the challenge in a reply; returns what came of it."""
    asked = reply.challenge
    if asked is None:
        return reply
    bound = log.bind(task=stored.task_id, attempt=stored.attempt, coordinator=stored.coordinator_node)
    try:
        answer = await latents.answer(stored.assignment_hash, asked)
    except NotFound as error:
        bound.warning("challenge not answered", reason=str(error))
        return reply
    bound.info("challenge answered", step=asked.step, picture=asked.picture)
    return await connection.answer(asked.id, answer)
