"""How jurors show who they are where evidence is withheld from everybody else.

A pass is the value of an Authorization header: ``Juror NODE.EXPIRY.SIGNATURE``, signed by the operator of a miner over
``EvidenceRequest``. Jurors are drawn from the eligible miners, so it is those who see it.
"""

import re
from typing import Protocol

from cuckoo.domain.errors import SignatureInvalid
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.node import Node
from cuckoo.protocol.eip712 import Hasher, hash_evidence_request
from cuckoo.protocol.signing import Signer, recover

PASS_S = 300
"""So long a pass holds, in seconds."""

_PASS = re.compile(r"Juror ([0-9]{1,10})\.([0-9]{1,12})\.([0-9a-f]{130})")


class Nodes(Protocol):
    """The registered nodes, as the chain shows them."""

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node; None when there is none."""


def sign_pass(signer: Signer, hasher: Hasher, node: NodeId, dispute: int, digest: bytes, now: float) -> str:
    """Return a pass to one piece of evidence; ``digest``: its sha256."""
    expiry = int(now) + PASS_S
    signature = signer.sign(hasher.digest(hash_evidence_request(node, dispute, digest, expiry)))
    return f"Juror {node}.{expiry}.{signature.hex()}"


class Passes:
    """Reads passes."""

    def __init__(self, hasher: Hasher, nodes: Nodes) -> None:
        """Take the domain of signatures, and the registered nodes."""
        self._hasher = hasher
        self._nodes = nodes

    def holds(self, shown: str, dispute: int, digest: bytes, now: float) -> bool:
        """Tell whether a header is the pass of an eligible miner to this piece of evidence, at a unix time."""
        found = _PASS.fullmatch(shown)
        if found is None:
            return False
        node_id, expiry, signature = NodeId(int(found[1])), int(found[2]), bytes.fromhex(found[3])
        node = self._nodes.node(node_id)
        if node is None or node.role is not Role.MINER or not node.weight_wei or not now < expiry <= now + 2 * PASS_S:
            return False
        try:
            signed = self._hasher.digest(hash_evidence_request(node_id, dispute, digest, expiry))
            return recover(signed, signature) == node.operator
        except SignatureInvalid:
            return False
