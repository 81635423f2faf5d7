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


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """What the network file holds. It is public: it names no key.

    Attributes:
        rpc_urls: endpoints of the chain, the preferred one first.
        faucet: None where there is none (the main network).
        deploy_block: no event of the contracts is older.
    """

    name: str
    chain_id: int
    rpc_urls: tuple[str, ...]
    token: Address
    staking: Address
    faucet: Address | None
    deploy_block: int
    parameters: Parameters

    @property
    def is_devnet(self) -> bool:
        """Whether this is a local development chain."""
        return self.chain_id == DEVNET_CHAIN_ID
