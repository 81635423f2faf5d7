"""Mutual sign-in of miners, and the sessions that follow.

Both sides sign ``SignIn(coordinator, origin, miner, nonces, expiry)``, the coordinator first. The origin is the address
that the miner called: a relaying server in between would have another one. An offer is not remembered: its nonce
carries the miner's sequence number and an authentication code over everything that was offered, so that requests by
strangers take no memory and move no mark.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec

from cuckoo.domain.errors import (
    InvalidField,
    NotEligible,
    NotFound,
    NotSignedIn,
    OfferExpired,
    OfferUsed,
    SignatureInvalid,
)
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.node import Node
from cuckoo.protocol.eip712 import Hasher, hash_sign_in
from cuckoo.protocol.messages import SignInOffer, SignInProof, SignInRequest
from cuckoo.protocol.signing import Signer, check_signed_by
from cuckoo.runtime.clock import Clock
from cuckoo.storage.store import Store

OFFER_S = 60
SESSION_S = 3_600
_NONCE_BYTES = 32
_RANDOM_BYTES = 8
_SEQUENCE_BYTES = 8
_SAID_BYTES = _RANDOM_BYTES + _SEQUENCE_BYTES
_SEQUENCE_MAX = 2**53
_NODE_MAX = 2**32 - 1


class Registry(Protocol):
    """The registered nodes, as the chain shows them."""

    def node(self, node_id: NodeId) -> Node | None:
        """Return a node; None when there is none."""


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session.

    Attributes:
        token: what the miner shows with every call.
        node, operator: who, and with which key.
        expires_at: unix seconds.
        last_sequence: the highest sequence number that either side remembers.
    """

    token: str
    node: Node
    expires_at: int
    last_sequence: int

    @property
    def operator(self) -> Address:
        """The key that signed in."""
        return self.node.operator


class Sessions:
    """Who is signed in."""

    def __init__(
        self,
        coordinator: NodeId,
        signer: Signer,
        hasher: Hasher,
        registry: Registry,
        store: Store,
        *,
        origins: Collection[str],
        clock: Clock,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Take what sign-in needs.

        Args:
            coordinator: our node.
            signer: our operator's key.
            hasher: the EIP-712 domain.
            registry: who is a miner, and with which key.
            store: keeps sequence marks.
            origins: the addresses under which miners may reach us: ``scheme://host[:port]``.
            clock: time.
            random_bytes: source of nonces and tokens.
        """
        self._coordinator = coordinator
        self._signer = signer
        self._hasher = hasher
        self._registry = registry
        self._store = store
        self._origins = frozenset(origins)
        self._clock = clock
        self._random_bytes = random_bytes
        self._secret = random_bytes(_NONCE_BYTES)
        self._by_token: dict[str, SignedIn] = {}
        self._by_node: dict[NodeId, str] = {}
        self._used: dict[bytes, int] = {}

    async def offer(self, request: SignInRequest) -> SignInOffer:
        """Make the coordinator's half of a sign-in.

        Raises:
            InvalidField: a nonce or sequence number out of range, or an origin that is not ours.
            NotFound: no such miner.
            NotEligible: one whose stake carries no weight.
        """
        self._check(request.origin, request.miner_node, request.miner_nonce)
        if not 0 <= request.last_sequence <= _SEQUENCE_MAX:
            raise InvalidField("last_sequence", request.last_sequence, f"must be 0 to {_SEQUENCE_MAX}")
        expiry = int(self._clock.now()) + OFFER_S
        nonce = self._random_bytes(_RANDOM_BYTES) + request.last_sequence.to_bytes(_SEQUENCE_BYTES, "big")
        nonce += self._code(nonce, request.origin, request.miner_node, request.miner_nonce, expiry)
        mark = await self._store.marks.highest(self._coordinator, request.miner_node)
        digest = self._digest(request.origin, request.miner_node, request.miner_nonce, nonce, expiry)
        return SignInOffer(
            coordinator_node=self._coordinator,
            coordinator_nonce=nonce,
            expiry=expiry,
            last_sequence=max(mark, request.last_sequence),
            signature=self._signer.sign(digest),
        )

    async def open(self, proof: SignInProof) -> SignedIn:
        """Check the miner's half and open its session; an earlier session of the same miner ends.

        Raises:
            InvalidField, NotFound, NotEligible: as in ``offer``.
            OfferExpired, OfferUsed: the offer has run out, or was used.
            SignatureInvalid: the offer is not ours; or the miner's key did not sign, or for another network.
        """
        node = self._check(proof.origin, proof.miner_node, proof.miner_nonce)
        now = self._clock.now()
        nonce = proof.coordinator_nonce
        code = self._code(nonce[:_SAID_BYTES], proof.origin, proof.miner_node, proof.miner_nonce, proof.expiry)
        if not hmac.compare_digest(nonce[_SAID_BYTES:], code):
            raise SignatureInvalid("open a session: this coordinator did not make that offer; ask for a new one")
        if now >= proof.expiry:
            raise OfferExpired(f"open a session: the offer ran out at {proof.expiry}; ask for a new one")
        if nonce in self._used:
            raise OfferUsed("open a session: the offer was used before; ask for a new one")
        digest = self._digest(proof.origin, proof.miner_node, proof.miner_nonce, nonce, proof.expiry)
        check_signed_by(digest, proof.signature, node.operator, "the miner's sign-in")
        self._forget_expired(int(now))
        self._used[nonce] = proof.expiry
        sequence = int.from_bytes(nonce[_RANDOM_BYTES:_SAID_BYTES], "big")
        mark = await self._store.writer.execute(self._store.marks.raise_to(self._coordinator, node.node_id, sequence))
        return self._opened(node, int(now) + SESSION_S, mark)

    def of_token(self, token: str) -> SignedIn:
        """Return the session of a token; raises NotSignedIn."""
        session = self._by_token.get(token)
        if session is None:
            raise NotSignedIn("call as a miner: no such session; sign in at /miner/v1/sign-in")
        if self._clock.now() >= session.expires_at:
            self.end(session.node.node_id)
            raise NotSignedIn("call as a miner: the session has run out; sign in at /miner/v1/sign-in")
        return session

    def end(self, node: NodeId) -> None:
        """End a miner's session, if it has one."""
        token = self._by_node.pop(node, None)
        if token is not None:
            del self._by_token[token]

    def _opened(self, node: Node, expires_at: int, last_sequence: int) -> SignedIn:
        self.end(node.node_id)
        session = SignedIn(
            token=self._random_bytes(_NONCE_BYTES).hex(),
            node=node,
            expires_at=expires_at,
            last_sequence=last_sequence,
        )
        self._by_token[session.token] = session
        self._by_node[node.node_id] = session.token
        return session

    def _check(self, origin: str, miner: NodeId, nonce: bytes) -> Node:
        if origin not in self._origins:
            raise InvalidField("origin", origin, f"must be one of {', '.join(sorted(self._origins))}")
        if len(nonce) != _NONCE_BYTES:
            raise InvalidField("miner_nonce", f"{len(nonce)} bytes", f"must be {_NONCE_BYTES} bytes")
        if not 0 < miner <= _NODE_MAX:
            raise InvalidField("miner_node", miner, f"must be 1 to {_NODE_MAX}")
        node = self._registry.node(miner)
        if node is None or node.role is not Role.MINER:
            raise NotFound(f"sign in miner {miner}: no miner is registered under this number: cuckoo stake nodes")
        if not node.eligible:
            raise NotEligible(
                f"sign in miner {miner}: its stake carries no weight: it is jailed, or its own active stake is below "
                "its minimum: cuckoo stake status"
            )
        return node

    def _code(self, said_part: bytes, origin: str, miner: NodeId, nonce: bytes, expiry: int) -> bytes:
        said = msgspec.msgpack.encode((said_part, origin, miner, nonce, expiry))
        return hmac.digest(self._secret, said, hashlib.sha256)[: _NONCE_BYTES - _SAID_BYTES]

    def _digest(self, origin: str, miner: NodeId, nonce: bytes, own_nonce: bytes, expiry: int) -> bytes:
        return self._hasher.digest(hash_sign_in(self._coordinator, origin, miner, nonce, own_nonce, expiry))

    def _forget_expired(self, now: int) -> None:
        """Drop used offers that have run out; they stand in the order in which they were used."""
        while self._used:
            nonce, expiry = next(iter(self._used.items()))
            if expiry + OFFER_S > now:
                return
            del self._used[nonce]
