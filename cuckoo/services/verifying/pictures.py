"""Checks a picture against the receipt that came with it: signatures, pixels, standing on chain, a run of its own."""

import io
from typing import Protocol

from PIL import Image

from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import SignatureInvalid
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.node import Node
from cuckoo.inference.messages import Finished
from cuckoo.protocol.eip712 import Domain
from cuckoo.protocol.messages import ReceiptView
from cuckoo.protocol.png import difference
from cuckoo.protocol.receipts import pixel_hash
from cuckoo.protocol.signing import recover
from cuckoo.services.verifying.checks import Check, State


class Registry(Protocol):
    """Who runs which node, from the chain. Both raise TransientError when it does not answer."""

    async def operator_of(self, operator: Address) -> tuple[NodeId, int]:
        """Read the node of a key (0 for none), and when the key was replaced there (0: in use)."""

    async def node(self, node_id: NodeId) -> Node:
        """Read a node."""


def check_pixels(view: ReceiptView, picture: bytes) -> Check:
    """Check that the receipt's miner signed for these pixels.

    Args:
        view: the receipt.
        picture: an image file that Pillow reads.
    """
    try:
        with Image.open(io.BytesIO(picture)) as image:
            found = pixel_hash(image.height, image.width, image.convert("RGB").tobytes())
    except (OSError, SyntaxError, ValueError) as error:
        return Check(name="pixels", state=State.WRONG, detail=f"the picture can not be decoded: {error}")
    hashes = view.receipt.picture_hashes
    if found not in hashes:
        detail = f"the receipt is for other pixels: these hash to {found.hex()}"
        return Check(name="pixels", state=State.WRONG, detail=detail)
    number, count = hashes.index(found) + 1, len(hashes)
    parameters = view.assignment.parameters
    detail = f'picture {number} of {count} for "{parameters.prompt}", seed {parameters.seed}, {parameters.steps} steps'
    return Check(name="pixels", state=State.RIGHT, detail=detail)


def check_assignment_hash(view: ReceiptView) -> Check:
    """Check that the receipt is for the assignment that stands beside it: every parameter goes into that hash."""
    if view.receipt.assignment_hash == view.assignment.struct_hash():
        detail = f"task {view.assignment.task_id}, attempt {view.assignment.attempt}"
        return Check(name="assignment", state=State.RIGHT, detail=detail)
    return Check(name="assignment", state=State.WRONG, detail="the receipt is for another assignment than this one")


async def check_signatures(
    view: ReceiptView, registry: Registry | None, domain: Domain | None, longest_deadline_s: int
) -> list[Check]:
    """Check who signed receipt and assignment.

    Args:
        view: the receipt.
        registry: the chain's; None to work without it: then the checks say who signed, and nothing more.
        domain: the network's; None without one: then the receipt's own counts.
        longest_deadline_s: a replaced key's signature counts for deadlines up to its replacement and so much more.

    Raises:
        TransientError: the chain does not answer.
    """
    own = Domain(view.chain_id, Address(view.staking))
    if domain is not None and domain != own:
        detail = f"it is of chain {own.chain_id}, contract {own.staking}; this network is another"
        return [Check(name="network", state=State.WRONG, detail=detail)]
    signed = (
        ("receipt", Role.MINER, view.assignment.miner_node, view.receipt.struct_hash(), view.receipt_signature),
        (
            "draw",
            Role.COORDINATOR,
            view.assignment.coordinator_node,
            view.assignment.struct_hash(),
            view.assignment_signature,
        ),
    )
    checks = []
    for name, role, node_id, struct_hash, signature in signed:
        try:
            signer = recover(own.digest(struct_hash), signature)
        except SignatureInvalid as fault:
            checks.append(Check(name=name, state=State.WRONG, detail=str(fault)))
            continue
        who = f"{role.name.lower()} {node_id}"
        if registry is None:
            detail = f"signed by {signer}; whether that is {who} was not looked up"
            checks.append(Check(name=name, state=State.UNCHECKED, detail=detail))
            continue
        found, replaced_at = await registry.operator_of(signer)
        late = replaced_at and view.assignment.deadline > replaced_at + longest_deadline_s
        if found != node_id or late:
            why = "whose key was replaced before" if found == node_id else f"who is not {who}"
            checks.append(Check(name=name, state=State.WRONG, detail=f"signed by {signer}, {why}"))
            continue
        checks += [Check(name=name, state=State.RIGHT, detail=f"signed by {who}"), await _standing(registry, node_id)]
    return checks


async def _standing(registry: Registry, node_id: NodeId) -> Check:
    node = await registry.node(node_id)
    name = f"{node.role.name.lower()}'s standing"
    if node.eligible:
        detail = f"{format_cai(node.weight_wei)} CAI of weight, {format_cai(node.own_wei)} of its own at risk"
        return Check(name=name, state=State.RIGHT, detail=detail)
    why = "it is in jail" if node.jailed_until else "its own stake is below its minimum"
    return Check(name=name, state=State.UNCHECKED, detail=f"it carries no weight now: {why}")


def check_rerun(view: ReceiptView, picture: bytes, made: Finished) -> Check:
    """Compare a picture with one that was made again.

    Where the runtime profiles are equal, pixels and latents have to be. Elsewhere the difference is told.

    Args:
        view: the receipt.
        picture: the one to check.
        made: what the same parameters gave here.
    """
    receipt = view.receipt
    if made.profile == receipt.profile:
        same = tuple(made.picture_hashes) == receipt.picture_hashes and made.latents_root == receipt.latents_root
        if same:
            detail = (
                "made again here with the same runtime profile: the same pixels, and the same latents in every step"
            )
            return Check(name="rerun", state=State.RIGHT, detail=detail)
        detail = "made again here with the same runtime profile: other pixels or latents"
        return Check(name="rerun", state=State.WRONG, detail=detail)
    mean, most = min(difference(picture, other) for other in made.pictures)
    names = [name for name in receipt.profile.__struct_fields__ if _differs(name, made, view)]
    detail = (
        f"made again here with another runtime profile ({', '.join(names)}): the pixels differ by {mean:.2f} of 255 "
        f"on average, {most} at most"
    )
    return Check(name="rerun", state=State.UNCHECKED, detail=detail)


def _differs(name: str, made: Finished, view: ReceiptView) -> bool:
    return bool(getattr(made.profile, name) != getattr(view.receipt.profile, name))
