"""A network: where its contracts are, and the parameters that were fixed when they were deployed."""

import msgspec

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import Address

DEVNET_CHAIN_ID = 31_337
_HOUR, _DAY = 3_600, 86_400


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Network parameters in seconds, in the order of the contract's struct; see docs/contracts.md."""

    unbonding: int
    release_bucket: int
    report_window: int
    claim: int
    commit: int
    reveal: int
    appeal: int
    buffer: int
    longest_deadline: int
    fee_stream: int
    jury_epoch: int
    draw_period: int
    draw_lead: int
    commission_notice: int
    jail: int


MAIN = Parameters(
    unbonding=14 * _DAY,
    release_bucket=_DAY,
    report_window=6 * _DAY,
    claim=6 * _HOUR,
    commit=24 * _HOUR,
    reveal=24 * _HOUR,
    appeal=24 * _HOUR,
    buffer=5 * _DAY // 2,
    longest_deadline=7_200,
    fee_stream=7 * _DAY,
    jury_epoch=7 * _DAY,
    draw_period=_HOUR,
    draw_lead=_HOUR,
    commission_notice=16 * _DAY,
    jail=7 * _DAY,
)
DEVNET = Parameters(
    unbonding=240,
    release_bucket=10,
    report_window=60,
    claim=10,
    commit=20,
    reveal=10,
    appeal=10,
    buffer=60,
    longest_deadline=60,
    fee_stream=60,
    jury_epoch=20,
    draw_period=10,
    draw_lead=10,
    commission_notice=260,
    jail=20,
)
DEVNET_DRIP = Wei(3_000_000 * CAI)


class DisputeParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What Disputes is deployed with, in the order of the contract's struct.

    Attributes:
        coordinator_alone: how much of the report window is the coordinator's alone, in seconds.
        seats: expected seats of a first jury.
        quorum: seats that must speak at least.
        fee: what a coherent seat earns, in wei.
    """

    coordinator_alone: int
    seats: int
    quorum: int
    fee: Wei


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is fixed when a network is deployed. Periods in seconds.

    Attributes:
        escrow_thaw: how long announced withdrawals stay redeemable.
        timelock_delay: how long what the owner of Staking does is announced.
        seed_blocks: blocks between a jury's ticket and the block that seeds it.
    """

    parameters: Parameters
    disputes: DisputeParameters
    escrow_thaw: int
    timelock_delay: int
    seed_blocks: int


_FEE = Wei(5 * CAI)
MAIN_RULES = Rules(
    parameters=MAIN,
    disputes=DisputeParameters(coordinator_alone=3 * _DAY, seats=21, quorum=5, fee=_FEE),
    escrow_thaw=7 * _DAY,
    timelock_delay=2 * _DAY,
    seed_blocks=64,
)
DEVNET_RULES = Rules(
    parameters=DEVNET,
    disputes=DisputeParameters(coordinator_alone=30, seats=21, quorum=5, fee=_FEE),
    escrow_thaw=30,
    timelock_delay=10,
    seed_blocks=1,
)


def rules_of(chain_id: int) -> Rules:
    """Return the rules of a new network on a chain: short periods on a local development chain, else the main ones."""
    return DEVNET_RULES if chain_id == DEVNET_CHAIN_ID else MAIN_RULES


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What the network file holds. It is public: it names no key.

    Attributes:
        rpc_urls: endpoints of the chain, the preferred one first.
        timelock: owns Staking.
        randomness: draws the juries of Disputes.
        faucet: None where there is none (the main network).
        deploy_block: no event of the contracts is older.
    """

    name: str
    chain_id: int
    rpc_urls: tuple[str, ...]
    token: Address
    timelock: Address
    staking: Address
    escrow: Address
    disputes: Address
    randomness: Address
    faucet: Address | None
    deploy_block: int
    rules: Rules

    @property
    def parameters(self) -> Parameters:
        """The parameters of Staking."""
        return self.rules.parameters

    @property
    def is_devnet(self) -> bool:
        """Whether this is a local development chain."""
        return self.chain_id == DEVNET_CHAIN_ID
