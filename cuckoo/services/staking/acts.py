"""Acts of stakers and owners by their description: planned for a wallet elsewhere, or carried out with a key here.

Both run the same use cases (:class:`Wallet`, :class:`Registration`), once against a draft and once against a sender, so
that a plan is what would be sent, and refusals have the same words as those of ``cuckoo stake``.
"""

from collections.abc import Sequence

from cuckoo.chain.drafts import Draft
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sends
from cuckoo.domain.amounts import Wei, parse_cai, parse_percent
from cuckoo.domain.errors import ConfigError, InvalidField
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.node import Introduction, minimum_own_stake
from cuckoo.protocol import acts
from cuckoo.protocol.acts import Act, Plan, StepView
from cuckoo.protocol.signing import parse_address
from cuckoo.services.staking.registration import Consent, NewNode, Registration
from cuckoo.services.staking.risks import Risks
from cuckoo.services.staking.wallet import Done, Wallet, drip

_NODE_MAX = 2**32 - 1


class Acts:
    """Plans and carries out."""

    def __init__(self, client: ChainClient) -> None:
        """Take the chain."""
        self._client = client
        self._risks = Risks(client)

    async def plan(self, act: Act) -> Plan:
        """Say what an act would do, without doing it.

        Raises:
            ConfigError, InvalidField: it can not be done; says why and what to do.
            TransientError: the chain does not answer.
        """
        draft = Draft(self._client, parse_address(act.address, "address"))
        outcome = await self._perform(act, draft)
        return Plan(
            action=act.action,
            steps=tuple(
                StepView(
                    title=step.doing,
                    contract=step.contract,
                    to=step.to,
                    function=step.function,
                    arguments=step.arguments,
                    data="0x" + step.data.hex(),
                    gas=step.gas,
                )
                for step in draft.steps
            ),
            outcome=tuple(one.detail for one in outcome),
            risks=await self._risks.of(act),
        )

    async def carry_out(self, act: Act, sender: Sends) -> list[Done]:
        """Do it; raises as ``plan``, and ConfigError where it is for another wallet than the sender's."""
        if parse_address(act.address, "address") != sender.address:
            raise ConfigError(f"sign for {act.address}: the key that is here is that of {sender.address}")
        return await self._perform(act, sender)

    async def _perform(self, act: Act, sender: Sends) -> list[Done]:
        found = await self._as_staker(act, sender)
        if found is None:
            found = await self._as_owner(act, sender)
        answers = [found] if isinstance(found, Done) else list(found)
        if not answers:
            raise ConfigError(f"{act.action}: there is nothing to do")
        return answers

    async def _as_staker(  # noqa: PLR0911 - one case per act
        self, act: Act, sender: Sends
    ) -> Done | Sequence[Done] | None:
        wallet = Wallet(self._client, sender.address, sender)
        match act:
            case acts.Faucet():
                return await drip(self._client, sender, sender.address)
            case acts.Deposit():
                return await wallet.deposit(parse_cai(act.amount))
            case acts.Withdraw():
                return await wallet.withdraw(_amount(act.amount))
            case acts.Vote():
                return await wallet.vote(_node(act.node_id), parse_cai(act.amount))
            case acts.Unvote():
                return await wallet.unvote(_node(act.node_id), _amount(act.amount))
            case acts.Move():
                return await wallet.move(_node(act.from_node), _node(act.to_node))
            case acts.Revote():
                return await wallet.revote(_node(act.node_id))
            case acts.Release():
                return await wallet.release()
            case acts.Claim():
                return await wallet.claim(None if act.node_id is None else _node(act.node_id))
            case acts.Compound():
                return await wallet.compound(None if act.node_id is None else _node(act.node_id))
            case _:
                return None

    async def _as_owner(self, act: Act, sender: Sends) -> Done:  # noqa: PLR0911 - one case per act
        registration = Registration(self._client, sender)
        match act:
            case acts.Register():
                return (await registration.register(_new_node(act), _consent(act.consent))).answer
            case acts.Introduce():
                return await registration.introduce(_node(act.node_id), _introduction(act.introduction))
            case acts.SetCommission():
                return await registration.set_commission(_node(act.node_id), parse_percent(act.percent, "percent"))
            case acts.SetPayee():
                return await registration.set_payee(_node(act.node_id), parse_address(act.payee, "payee"))
            case acts.Transfer():
                new_owner = parse_address(act.new_owner, "new_owner")
                return await registration.transfer_owner(_node(act.node_id), new_owner)
            case acts.Accept():
                return await registration.accept_owner(_node(act.node_id))
            case acts.Unjail():
                return await registration.unjail(_node(act.node_id))
            case acts.Poke():
                return await registration.poke(_node(act.node_id))
            case acts.RotateOperator():
                return await registration.rotate_operator(_node(act.node_id), _consent(act.consent))
            case _:
                raise InvalidField("action", act.action, "is none of an owner's")


def _node(number: int) -> NodeId:
    if not 1 <= number <= _NODE_MAX:
        raise InvalidField("node_id", number, f"must be 1 to {_NODE_MAX:,}")
    return NodeId(number)


def _amount(text: str) -> Wei | None:
    return parse_cai(text) if text else None


def _introduction(words: acts.Words) -> Introduction:
    return Introduction(name=words.name, text=words.text, url=words.url, location=words.location, links=words.links)


def _consent(given: acts.OperatorConsent) -> Consent:
    if len(given.signature) != 65:
        raise InvalidField("consent.signature", f"{len(given.signature)} bytes", "must be 65 bytes")
    return Consent(
        operator=parse_address(given.operator, "consent.operator"), deadline=given.deadline, signature=given.signature
    )


def _new_node(act: acts.Register) -> NewNode:
    if act.role not in ("miner", "coordinator"):
        raise InvalidField("role", act.role, "must be miner or coordinator")
    role = Role[act.role.upper()]
    if role is Role.COORDINATOR and not act.introduction.url:
        raise InvalidField("introduction.url", "", "must be given: miners find a coordinator by it")
    return NewNode(
        role=role,
        introduction=_introduction(act.introduction),
        amount=parse_cai(act.amount) if act.amount else minimum_own_stake(role),
        commission_bps=parse_percent(act.commission_percent, "commission_percent"),
        max_commission_bps=parse_percent(act.max_commission_percent, "max_commission_percent"),
    )
