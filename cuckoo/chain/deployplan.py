"""What a deployment creates, and where: every address is known before the first transaction is sent."""

from typing import Any

import msgspec
from web3 import Web3

from cuckoo.chain.artifact import load_artifact
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import Address
from cuckoo.domain.keccak import keccak256
from cuckoo.domain.network import DEVNET_DRIP, Network, Rules
from cuckoo.protocol.signing import checksummed

SUPPLY = Wei(1_000_000_000 * CAI)
FAUCET_CAI = Wei(500_000_000 * CAI)
DRIPS = 1_000
DRIP_COOLDOWN_S = 60
YEAR_S = 365 * 86_400
# Unless told otherwise: ten years of emission, 2 % of all CAI each.
RESERVE = Wei(200_000_000 * CAI)
EMISSION = Wei(20_000_000 * CAI)
# The contract refuses a faster stream than a tenth of all CAI a year.
EMISSION_LIMIT = Wei(SUPPLY // 10)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be deployed.

    Attributes:
        governor: proposes what the timelock does, and may cancel it.
        guardian: may pause entries without the timelock's delay.
        treasury: receives the CAI that neither the reserve nor the faucet gets.
        reserve: CAI that is streamed to nodes, in wei.
        emission: how much of it a year, in wei.
        faucet_native: native coin that a test network's faucet gets beside half of all CAI, in wei, for 1,000 drips;
            None: there is no faucet.
        rules: the network parameters.
    """

    governor: Address
    guardian: Address
    treasury: Address
    reserve: Wei
    emission: Wei
    faucet_native: int | None
    rules: Rules

    @property
    def emission_rate(self) -> int:
        """The emission in wei a second, rounded down."""
        return self.emission // YEAR_S


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """One contract to be created: its creation code with arguments, and the native coin it is given, in wei."""

    name: str
    address: Address
    data: str
    value: int = 0


def contract_address(deployer: Address, nonce: int) -> Address:
    """Compute where the contract lies that an account creates with a nonce.

    Source: Ethereum yellow paper, section 7; keccak of the RLP list of sender and nonce.
    """
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    item = number if 0 < nonce < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + bytes.fromhex(deployer[2:]) + item
    return checksummed(keccak256(bytes([0xC0 + len(body)]) + body)[12:])


def plan_creations(order: Order, deployer: Address, first_nonce: int) -> tuple[Creation, ...]:
    """List the contracts in the order in which they are created, one nonce each.

    Staking has to know who may slash, for ever, and Disputes has to know Staking: hence the addresses computed ahead.
    """
    names = ["CuckooToken", "Timelock", "Staking", "Escrow", "BlockRandomness", "Disputes"]
    if order.faucet_native is not None:
        names.append("Faucet")
    at = {name: contract_address(deployer, first_nonce + index) for index, name in enumerate(names)}
    rules, native = order.rules, order.faucet_native or 0
    holders = allocation(order, deployer, at.get("Faucet"))
    arguments: dict[str, tuple[Any, ...]] = {
        "CuckooToken": (list(holders), list(holders.values())),
        "Timelock": (rules.timelock_delay, order.governor),
        "Staking": (at["CuckooToken"], deployer, msgspec.structs.astuple(rules.parameters), [at["Disputes"]]),
        "Escrow": (at["Staking"], rules.escrow_thaw),
        "BlockRandomness": (rules.seed_blocks,),
        "Disputes": (at["Staking"], at["BlockRandomness"], msgspec.structs.astuple(rules.disputes)),
        "Faucet": (at["CuckooToken"], order.governor, DEVNET_DRIP, native // DRIPS, DRIP_COOLDOWN_S),
    }
    return tuple(
        Creation(
            name=name,
            address=at[name],
            data=_creation_code(name, *arguments[name]),
            value=native if name == "Faucet" else 0,
        )
        for name in names
    )


def allocation(order: Order, deployer: Address, faucet: Address | None) -> dict[Address, int]:
    """Say who gets how much of all CAI, in wei: the deployer what it puts into the reserve."""
    for_faucet = FAUCET_CAI if faucet else 0
    shares = [(deployer, order.reserve), (order.treasury, SUPPLY - order.reserve - for_faucet)]
    if faucet:
        shares.append((faucet, FAUCET_CAI))
    holders: dict[Address, int] = {}
    for holder, amount in shares:
        if amount:
            holders[holder] = holders.get(holder, 0) + amount
    return holders


def planned_network(bare: Network, order: Order, creations: tuple[Creation, ...], deploy_block: int) -> Network:
    """Describe the network that will be there once all is done."""
    at = {creation.name: creation.address for creation in creations}
    return msgspec.structs.replace(
        bare,
        token=at["CuckooToken"],
        timelock=at["Timelock"],
        staking=at["Staking"],
        escrow=at["Escrow"],
        disputes=at["Disputes"],
        randomness=at["BlockRandomness"],
        faucet=at.get("Faucet"),
        deploy_block=deploy_block,
        rules=order.rules,
    )


def digest_of(order: Order, creations: tuple[Creation, ...]) -> str:
    """Name a plan by everything in it, so that a run that goes on does the same as the one that stopped."""
    return keccak256(msgspec.json.encode([order, creations])).hex()


def _creation_code(name: str, *arguments: Any) -> str:
    artifact = load_artifact(name)
    contract: Any = Web3().eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    return str(contract.constructor(*arguments).data_in_transaction)
