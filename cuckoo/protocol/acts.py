"""What a staker can do, as the portal's pages send it. Amounts are decimal CAI, percentages as people write them."""

from typing import Annotated, Any, get_args

import msgspec

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import Address
from cuckoo.protocol.messages import Buffer, decode_json

NodeNumber = Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]


class Act(msgspec.Struct, frozen=True, kw_only=True, tag_field="action", forbid_unknown_fields=True):
    """One act; ``address``: of the wallet that is to do it."""

    address: str


class Faucet(Act, frozen=True, kw_only=True, tag="faucet"):
    """Have the faucet of a test network give CAI and gas to the wallet."""


class Deposit(Act, frozen=True, kw_only=True, tag="deposit"):
    """Move CAI from the wallet into idle stake."""

    amount: str


class Withdraw(Act, frozen=True, kw_only=True, tag="withdraw"):
    """Move idle stake back into the wallet; all of it without an amount."""

    amount: str = ""


class Vote(Act, frozen=True, kw_only=True, tag="vote"):
    """Put idle stake behind a node."""

    node_id: NodeNumber
    amount: str


class Unvote(Act, frozen=True, kw_only=True, tag="unvote"):
    """Start to take stake out of a node; all of it without an amount."""

    node_id: NodeNumber
    amount: str = ""


class Move(Act, frozen=True, kw_only=True, tag="move"):
    """Put what has come free of a node behind another."""

    from_node: NodeNumber
    to_node: NodeNumber


class Revote(Act, frozen=True, kw_only=True, tag="revote"):
    """Put stake that is on its way out of a node to work again."""

    node_id: NodeNumber


class Release(Act, frozen=True, kw_only=True, tag="release"):
    """Turn all stake whose time is over into idle stake."""


class Claim(Act, frozen=True, kw_only=True, tag="claim"):
    """Pay rewards into the wallet: of one node, or of all."""

    node_id: NodeNumber | None = None


class Compound(Act, frozen=True, kw_only=True, tag="compound"):
    """Claim rewards and put them behind the nodes that paid them."""

    node_id: NodeNumber | None = None


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An introduction."""

    name: str
    text: str = ""
    url: str = ""
    location: str = ""
    links: tuple[str, ...] = ()


class OperatorConsent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``cuckoo stake consent`` prints; the signature in hex."""

    operator: Address
    deadline: int
    signature: bytes


class Register(Act, frozen=True, kw_only=True, tag="register"):
    """Register a node with own stake out of idle stake."""

    role: str
    consent: OperatorConsent
    introduction: Words
    amount: str = ""
    commission_percent: str = "10"
    max_commission_percent: str = "20"


class Introduce(Act, frozen=True, kw_only=True, tag="introduce"):
    """Publish a new introduction."""

    node_id: NodeNumber
    introduction: Words


class SetCommission(Act, frozen=True, kw_only=True, tag="commission"):
    """Lower a commission at once, or announce a higher one."""

    node_id: NodeNumber
    percent: str


class SetPayee(Act, frozen=True, kw_only=True, tag="payee"):
    """Name who receives a node's income."""

    node_id: NodeNumber
    payee: str


class Transfer(Act, frozen=True, kw_only=True, tag="transfer"):
    """Offer a node to another owner."""

    node_id: NodeNumber
    new_owner: str


class Accept(Act, frozen=True, kw_only=True, tag="accept"):
    """Take over a node that was offered."""

    node_id: NodeNumber


class Unjail(Act, frozen=True, kw_only=True, tag="unjail"):
    """End the jail of a node whose time is over."""

    node_id: NodeNumber


class Poke(Act, frozen=True, kw_only=True, tag="poke"):
    """Have a node weighed anew."""

    node_id: NodeNumber


class RotateOperator(Act, frozen=True, kw_only=True, tag="rotate_operator"):
    """Give a node another operator key."""

    node_id: NodeNumber
    consent: OperatorConsent


AnyAct = (
    Faucet
    | Deposit
    | Withdraw
    | Vote
    | Unvote
    | Move
    | Revote
    | Release
    | Claim
    | Compound
    | Register
    | Introduce
    | SetCommission
    | SetPayee
    | Transfer
    | Accept
    | Unjail
    | Poke
    | RotateOperator
)


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction of a plan.

    Attributes:
        title: what it does, for people.
        contract, to, function, arguments: whose function is called, and with what.
        data: 0x and hex, as a wallet takes it; value: likewise, always 0x0.
        gas: as estimated now; None where it depends on the steps before.
    """

    title: str
    contract: str
    to: Address
    function: str
    arguments: dict[str, str]
    data: str
    value: str = "0x0"
    gas: int | None = None


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Something to know before; ``kind`` names the sentence, ``numbers`` fill it (seconds, percent, CAI)."""

    kind: str
    numbers: dict[str, str] = {}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an act would do: transactions in order, what will have happened, and what to know before."""

    action: str
    steps: tuple[StepView, ...]
    outcome: tuple[str, ...]
    risks: tuple[Risk, ...]


class ActState(msgspec.Struct, frozen=True, kw_only=True):
    """How an act stands that this program signs: pending, done or failed."""

    id: str
    action: str
    state: str
    transactions: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    error: str = ""


class _Named(msgspec.Struct):
    """What an act is, whatever else is in it."""

    action: str


_KINDS: dict[str, type[Any]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyAct)}


def read_act(body: Buffer) -> AnyAct:
    """Read an act from JSON.

    Raises:
        InvalidField: no such action, an unknown field, a wrong type; names where.
    """
    action = decode_json(body, _Named).action
    if action not in _KINDS:
        raise InvalidField("action", action, f"must be one of {', '.join(_KINDS)}")
    act: AnyAct = decode_json(body, _KINDS[action])
    return act
