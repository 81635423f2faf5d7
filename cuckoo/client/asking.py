"""What an app does with a task: ask for pictures, follow it to its end, fetch them, check the receipt."""

import asyncio
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog
from PIL import Image

from cuckoo.client.app import AppClient
from cuckoo.client.pictures import Picture, Pictures
from cuckoo.domain.errors import CuckooError, InvalidField, SignatureInvalid
from cuckoo.domain.identifiers import Address, NodeId, TaskId
from cuckoo.domain.node import parse_introduction
from cuckoo.protocol.eip712 import Domain
from cuckoo.protocol.messages import ReceiptView, TaskRequest
from cuckoo.protocol.png import receipt_in
from cuckoo.protocol.receipts import pixel_hash
from cuckoo.protocol.signing import check_signed_by
from cuckoo.protocol.views import EventKind, MinerView, TaskEvent

log = structlog.get_logger(__name__)

CANCEL_TIMEOUT_S = 3.0

Listener = Callable[[TaskEvent], None]


class TaskFailed(CuckooError):
    """The network could not make the pictures; says why."""

    code = "task_failed"


async def ask(client: AppClient, request: TaskRequest, listener: Listener) -> Pictures:
    """Ask for pictures and wait for them; when this is cancelled, so is the task.

    Args:
        client: of the coordinator.
        request: what is asked for.
        listener: gets every event of the task.

    Raises:
        TaskFailed: the task failed, or somebody cancelled it.
        SignatureInvalid: the receipt is not by the miner, or for other pictures.
        CoordinatorUnreachable, PeerFault: as :class:`AppClient`.
    """
    task = await client.submit(request, idempotency_key=os.urandom(16).hex())
    try:
        return await fetch(client, task.task_id, listener)
    except asyncio.CancelledError:
        await _cancel(client, task.task_id)
        raise


async def fetch(client: AppClient, task_id: TaskId, listener: Listener) -> Pictures:
    """Follow a task to its end and get its pictures; arguments and errors as for :func:`ask`; nothing is cancelled."""
    async for event in client.events(task_id):
        listener(event)
        if event.kind in (EventKind.FAILED, EventKind.CANCELLED):
            raise TaskFailed(f"make the pictures: task {task_id} {event.kind}: {event.reason or 'no reason given'}")
    view = await client.get(task_id)
    files = [await client.picture(task_id, index) for index in range(len(view.pictures))]
    receipt = await client.receipt(task_id)
    miner = await find_miner(client, receipt.assignment.miner_node)
    check_receipt(receipt, files, {} if miner is None else {miner.node_id: Address(miner.operator)})
    for file in files:
        if receipt_in(file) != receipt:
            raise SignatureInvalid("check the receipt: inside the picture lies another one")
    first = view.parameters.seed
    return Pictures(
        task=view,
        attempt=view.attempts[receipt.assignment.attempt - 1],
        miner=f"node {receipt.assignment.miner_node}" if miner is None else miner_name(miner),
        pictures=tuple(Picture(png=png, seed=first + number) for number, png in enumerate(files)),
        receipt=receipt,
    )


async def find_miner(client: AppClient, node: NodeId) -> MinerView | None:
    """Read what the coordinator shows of one miner; None where it knows no such miner."""
    page = await client.miners(after=node - 1, limit=1)
    return next((miner for miner in page.miners if miner.node_id == node), None)


async def _cancel(client: AppClient, task_id: TaskId) -> None:
    """Tell the coordinator, within reason: whoever asked is on the way out."""
    try:
        async with asyncio.timeout(CANCEL_TIMEOUT_S):
            await client.cancel(task_id)
    except (CuckooError, TimeoutError) as error:
        log.warning("task not cancelled", task=task_id, reason=str(error))


def check_receipt(receipt: ReceiptView, pictures: Sequence[bytes], operators: Mapping[NodeId, Address]) -> None:
    """Check that the miner signed for exactly these pixels, under this assignment.

    Args:
        receipt: as the coordinator shows it.
        pictures: PNG files, in order.
        operators: who signs for which miner.

    Raises:
        SignatureInvalid: it did not.
    """
    signed, node = receipt.receipt, receipt.assignment.miner_node
    if signed.assignment_hash != receipt.assignment.struct_hash():
        raise SignatureInvalid("check the receipt: it is for another assignment")
    if signed.picture_hashes != tuple(_pixels(picture) for picture in pictures):
        raise SignatureInvalid("check the receipt: it is for other pictures than those that came")
    if node not in operators:
        raise SignatureInvalid(f"check the receipt: node {node} is no miner that this coordinator knows")
    digest = Domain(receipt.chain_id, Address(receipt.staking)).digest(signed.struct_hash())
    check_signed_by(digest, receipt.receipt_signature, operators[node], "the receipt")


def _pixels(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as image:
        return pixel_hash(image.height, image.width, image.convert("RGB").tobytes())


def miner_names(miners: Iterable[MinerView]) -> dict[NodeId, str]:
    """Return what miners call themselves; those that do not, by their number."""
    return {miner.node_id: miner_name(miner) for miner in miners}


def miner_name(miner: MinerView) -> str:
    """Return what a miner calls itself, or its number."""
    try:
        return parse_introduction(miner.introduction).name or f"node {miner.node_id}"
    except InvalidField:
        return f"node {miner.node_id}"
