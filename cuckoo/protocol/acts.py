"""What a staker can do, as the portal's pages send it. Amounts are decimal CAI, percentages as people write them."""

import msgspec

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import Address
from cuckoo.protocol.messages import Buffer, decode_json


class Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act. ``action``: which, see :data:`KINDS`; ``address``: of the wallet that is to do it."""

    action: str
    address: str


class Faucet(Act, frozen=True, kw_only=True):
    """Have the faucet of a test network give CAI and gas to the wallet."""


class Deposit(Act, frozen=True, kw_only=True):
    """Move CAI from the wallet into idle stake."""

    amount: str


class Withdraw(Act, frozen=True, kw_only=True):
    """Move idle stake back into the wallet; all of it without an amount."""

    amount: str = ""


class Vote(Act, frozen=True, kw_only=True):
    """Put idle stake behind a node."""

    node_id: int
    amount: str


class Unvote(Act, frozen=True, kw_only=True):
    """Start to take stake out of a node; all of it without an amount."""

    node_id: int
    amount: str = ""


class Move(Act, frozen=True, kw_only=True):
    """Put what has come free of a node behind another."""

    from_node: int
    to_node: int


class Revote(Act, frozen=True, kw_only=True):
    """Put stake that is on its way out of a node to work again."""

    node_id: int


class Release(Act, frozen=True, kw_only=True):
    """Turn all stake whose time is over into idle stake."""


class Claim(Act, frozen=True, kw_only=True):
    """Pay rewards into the wallet: of one node, or of all."""

    node_id: int | None = None


class Compound(Act, frozen=True, kw_only=True):
    """Claim rewards and put them behind the nodes that paid them."""

    node_id: int | None = None


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


class Register(Act, frozen=True, kw_only=True):
    """Register a node with own stake out of idle stake."""

    role: str
    consent: OperatorConsent
    introduction: Words
    amount: str = ""
    commission_percent: str = "10"
    max_commission_percent: str = "20"


class Introduce(Act, frozen=True, kw_only=True):
    """Publish a new introduction."""

    node_id: int
    introduction: Words


class SetCommission(Act, frozen=True, kw_only=True):
    """Lower a commission at once, or announce a higher one."""

    node_id: int
    percent: str


class SetPayee(Act, frozen=True, kw_only=True):
    """Name who receives a node's income."""

    node_id: int
    payee: str


class Transfer(Act, frozen=True, kw_only=True):
    """Offer a node to another owner."""

    node_id: int
    new_owner: str


class Accept(Act, frozen=True, kw_only=True):
    """Take over a node that was offered."""

    node_id: int


class Unjail(Act, frozen=True, kw_only=True):
    """End the jail of a node whose time is over."""

    node_id: int


class Poke(Act, frozen=True, kw_only=True):
    """Have a node weighed anew."""

    node_id: int


class RotateOperator(Act, frozen=True, kw_only=True):
    """Give a node another operator key."""

    node_id: int
    consent: OperatorConsent


KINDS: dict[str, type[Act]] = {
    "faucet": Faucet,
    "deposit": Deposit,
    "withdraw": Withdraw,
    "vote": Vote,
    "unvote": Unvote,
    "move": Move,
    "revote": Revote,
    "release": Release,
    "claim": Claim,
    "compound": Compound,
    "register": Register,
    "introduce": Introduce,
    "commission": SetCommission,
    "payee": SetPayee,
    "transfer": Transfer,
    "accept": Accept,
    "unjail": Unjail,
    "poke": Poke,
    "rotate_operator": RotateOperator,
}


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


def read_act(body: Buffer) -> Act:
    """Read an act from JSON.

    Raises:
        InvalidField: no such action, an unknown field, a wrong type; names where.
    """
    action = decode_json(body, _Named).action
    if action not in KINDS:
        raise InvalidField("action", action, f"must be one of {', '.join(KINDS)}")
    return decode_json(body, KINDS[action])
