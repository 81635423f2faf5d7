"""Register a node, and change what an owner may change about it."""

import msgspec

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sends
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.node import Introduction, encode_introduction, minimum_own_stake
from cuckoo.protocol.eip712 import Domain, hash_operator_consent
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.wallet import Done, done

CONSENT_S = 3_600


class NewNode(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner registers. ``amount`` in wei; commissions in 1/10,000."""

    role: Role
    introduction: Introduction
    amount: Wei
    commission_bps: int = 1_000
    max_commission_bps: int = 2_000


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's signature that it will run a node of this owner, until ``deadline`` (unix seconds)."""

    operator: Address
    deadline: int
    signature: bytes


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh node."""

    node_id: NodeId
    operator: Address
    answer: Done


async def consent_of(client: ChainClient, operator: Signer, owner: Address, role: Role) -> Consent:
    """Have an operator consent to run a node of ``role`` for an owner; it holds for an hour."""
    deadline = (await client.block()).timestamp + CONSENT_S
    digest = Domain(client.network.chain_id, client.network.staking).digest(
        hash_operator_consent(owner, role, operator.address, deadline)
    )
    return Consent(operator=operator.address, deadline=deadline, signature=operator.sign(digest))


class Registration:
    """An owner's use cases around its nodes."""

    def __init__(self, client: ChainClient, sender: Sends) -> None:
        """Take the chain and the owner's key."""
        self._client = client
        self._sender = sender
        self._staking = StakingContract(client)

    async def register(self, new: NewNode, operator: Signer | Consent) -> Registered:
        """Register a node with own stake out of the owner's idle stake; the operator consents by signature.

        Args:
            new: what is registered.
            operator: its key, or the consent that it gave elsewhere.

        Raises:
            ConfigError: the minimum is not met, the idle stake is too low, or the operator has a node already.
        """
        name = new.role.name.lower()
        minimum = minimum_own_stake(new.role)
        idle = await self._staking.idle_stake(self._sender.address)
        needed = max(minimum, new.amount)
        if idle < needed:
            missing = format_cai(needed - idle, grouped=False)
            raise ConfigError(
                f"register a {name}: a {name} needs {format_cai(minimum)} CAI of its own; this wallet has "
                f"{format_cai(idle)} staked: cuckoo stake deposit {missing}",
            )
        if new.amount < minimum:
            raise ConfigError(
                f"register a {name}: --amount is {format_cai(new.amount)} CAI, a {name} needs "
                f"{format_cai(minimum)} CAI of its own",
            )
        consent = await self._consent(operator, new.role)
        taken, _ = await self._staking.operator_of(consent.operator)
        if taken:
            raise ConfigError(
                f"register a {name}: operator {consent.operator} belongs to node {taken} for ever: make a new key with "
                "cuckoo keys new and name it with --operator",
            )
        receipt = await self._staking.register(
            self._sender,
            role=new.role,
            operator=consent.operator,
            introduction=encode_introduction(new.introduction),
            commission_bps=new.commission_bps,
            max_commission_bps=new.max_commission_bps,
            amount=new.amount,
            deadline=consent.deadline,
            operator_signature=consent.signature,
        )
        node_id, _ = await self._staking.operator_of(consent.operator)
        detail = f"registered {name} node {node_id} with {format_cai(new.amount)} CAI of own stake"
        return Registered(node_id=node_id, operator=consent.operator, answer=done(detail, receipt))

    async def _consent(self, operator: Signer | Consent, role: Role) -> Consent:
        if isinstance(operator, Consent):
            return operator
        return await consent_of(self._client, operator, self._sender.address, role)

    async def introduce(self, node_id: NodeId, introduction: Introduction) -> Done:
        """Publish a new introduction."""
        receipt = await self._staking.set_introduction(self._sender, node_id, encode_introduction(introduction))
        return done(f"node {node_id} introduces itself as {introduction.name}", receipt)

    async def rotate_operator(self, node_id: NodeId, operator: Signer | Consent) -> Done:
        """Give a node a new operator key; the old one can never come back."""
        node = await self._staking.node(node_id)
        given = await self._consent(operator, node.role)
        receipt = await self._staking.rotate_operator(
            self._sender, node_id, given.operator, given.deadline, given.signature
        )
        return done(f"node {node_id} is run by {given.operator} now", receipt)

    async def set_commission(self, node_id: NodeId, commission_bps: int) -> Done:
        """Lower a node's commission at once, or announce a higher one."""
        before = (await self._staking.node(node_id)).commission_bps
        receipt = await self._staking.set_commission(self._sender, node_id, commission_bps)
        rises = commission_bps > before
        when = f"in {self._client.network.parameters.commission_notice} s" if rises else "now"
        return done(f"the commission of node {node_id} is {commission_bps / 100:g} % {when}", receipt)

    async def set_payee(self, node_id: NodeId, payee: Address) -> Done:
        """Name who receives a node's income."""
        return done(
            f"income of node {node_id} goes to {payee}", await self._staking.set_payee(self._sender, node_id, payee)
        )

    async def transfer_owner(self, node_id: NodeId, new_owner: Address) -> Done:
        """Offer a node, with its own stake, to a new owner."""
        receipt = await self._staking.transfer_owner(self._sender, node_id, new_owner)
        return done(f"node {node_id} is offered to {new_owner}, who takes it with cuckoo stake accept", receipt)

    async def accept_owner(self, node_id: NodeId) -> Done:
        """Take over a node that was offered."""
        return done(f"node {node_id} is yours now", await self._staking.accept_owner(self._sender, node_id))

    async def unjail(self, node_id: NodeId) -> Done:
        """End the jail of a node whose time is over."""
        return done(f"node {node_id} is out of jail", await self._staking.unjail(self._sender, node_id))

    async def poke(self, node_id: NodeId) -> Done:
        """Have a node settled and weighed anew."""
        return done(f"node {node_id} was weighed anew", await self._staking.poke(self._sender, node_id))
