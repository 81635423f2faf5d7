"""Register a node, and change what an owner may change about it."""

import msgspec

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
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


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh node."""

    node_id: NodeId
    operator: Address
    answer: Done


class Registration:
    """An owner's use cases around its nodes."""

    def __init__(self, client: ChainClient, sender: Sender) -> None:
        """Take the chain and the owner's key."""
        self._client = client
        self._sender = sender
        self._staking = StakingContract(client)
        self._domain = Domain(client.network.chain_id, client.network.staking)

    async def register(self, new: NewNode, operator: Signer) -> Registered:
        """Register a node with own stake out of the owner's idle stake; the operator consents by signature.

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
        taken, _ = await self._staking.operator_of(operator.address)
        if taken:
            raise ConfigError(
                f"register a {name}: operator {operator.address} belongs to node {taken} for ever: make a new key with "
                "cuckoo keys new and name it with --operator",
            )
        deadline, signature = await self._consent(operator, new.role)
        receipt = await self._staking.register(
            self._sender,
            role=new.role,
            operator=operator.address,
            introduction=encode_introduction(new.introduction),
            commission_bps=new.commission_bps,
            max_commission_bps=new.max_commission_bps,
            amount=new.amount,
            deadline=deadline,
            operator_signature=signature,
        )
        node_id, _ = await self._staking.operator_of(operator.address)
        detail = f"registered {name} node {node_id} with {format_cai(new.amount)} CAI of own stake"
        return Registered(node_id=node_id, operator=operator.address, answer=done(detail, receipt))

    async def _consent(self, operator: Signer, role: Role) -> tuple[int, bytes]:
        deadline = (await self._client.block()).timestamp + CONSENT_S
        consent = hash_operator_consent(self._sender.address, role, operator.address, deadline)
        return deadline, operator.sign(self._domain.digest(consent))

    async def introduce(self, node_id: NodeId, introduction: Introduction) -> Done:
        """Publish a new introduction."""
        receipt = await self._staking.set_introduction(self._sender, node_id, encode_introduction(introduction))
        return done(f"node {node_id} introduces itself as {introduction.name}", receipt)

    async def rotate_operator(self, node_id: NodeId, operator: Signer) -> Done:
        """Give a node a new operator key; the old one can never come back."""
        node = await self._staking.node(node_id)
        deadline, signature = await self._consent(operator, node.role)
        receipt = await self._staking.rotate_operator(self._sender, node_id, operator.address, deadline, signature)
        return done(f"node {node_id} is run by {operator.address} now", receipt)

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
