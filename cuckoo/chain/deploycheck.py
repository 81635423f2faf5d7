"""Read a deployment back from the chain, and find what is not as it was ordered."""

from typing import Any

import msgspec
from eth_abi.abi import decode as abi_decode
from web3.types import LogReceipt

from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.deployplan import (
    DRIP_COOLDOWN_S,
    DRIPS,
    FAUCET_CAI,
    SUPPLY,
    Creation,
    Order,
    allocation,
)
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address, Role
from cuckoo.domain.keccak import keccak256
from cuckoo.domain.network import DEVNET_DRIP, Network
from cuckoo.protocol.signing import checksummed

NOBODY = Address("0x0000000000000000000000000000000000000000")
TIMELOCK_ROLES = ("DEFAULT_ADMIN_ROLE", "PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE")


class DeploymentWrong(ConfigError):
    """What lies on the chain is not what was ordered; ``problems`` names each difference."""

    code = "deployment_wrong"

    def __init__(self, problems: list[str]) -> None:
        """Put all differences into one message."""
        super().__init__(
            "check the deployment: " + "; ".join(problems) + ": no network file was written; do not use these contracts"
        )
        self.problems = problems


class Fact(msgspec.Struct, frozen=True):
    """One thing that was read back, as it should be and as it is."""

    what: str
    expected: str
    actual: str


class Reader:
    """Reads the contracts of a network that is being deployed."""

    def __init__(self, client: ChainClient, network: Network) -> None:
        """Bind to the network's addresses, whether there is something yet or not."""
        self._client = client
        self._at = {
            "CuckooToken": network.token,
            "Timelock": network.timelock,
            "Staking": network.staking,
            "Escrow": network.escrow,
            "Disputes": network.disputes,
        }
        if network.faucet:
            self._at["Faucet"] = network.faucet

    def call(self, contract: str, function: str, *arguments: Any) -> Any:
        """Build a call of a contract's function."""
        found: Any = self._client.web3.eth.contract(on_chain(self._at[contract]), abi=load_artifact(contract).abi)
        return found.functions[function](*arguments)

    async def read(self, contract: str, function: str, *arguments: Any) -> Any:
        """Call a function that only reads."""
        doing = f"read {function} of {contract}"
        return await self._client.run(lambda _: self.call(contract, function, *arguments).call(), doing=doing)

    async def logs(self, contract: str, event: str, first_block: int) -> list[LogReceipt]:
        """Read all events with a signature ("Transfer(address,address,uint256)") that a contract has left."""
        last = (await self._client.block()).number
        topic = "0x" + keccak256(event.encode()).hex()
        return await self._client.logs([self._at[contract]], first_block, last, [topic])

    async def reserve_funded(self, by: Address, first_block: int) -> int:
        """Sum what an account has put into the reserve, in wei."""
        logs = await self.logs("Staking", "ReserveFunded(address,uint256)", first_block)
        own = [log for log in logs if bytes(log["topics"][1])[12:] == bytes.fromhex(by[2:])]
        return sum(int(abi_decode(["uint256"], bytes(log["data"]))[0]) for log in own)

    async def emission_rate(self) -> int:
        """Read how fast the reserve is streamed to both roles together, in wei a second."""
        rates = [(await self.read("Staking", "roleOf", int(role)))[1] for role in Role]
        return int(sum(rates))

    async def timelock_members(self, first_block: int) -> dict[str, set[Address]]:
        """Read who has which role in the timelock, from every grant and revocation there was."""
        names = {bytes(await self.read("Timelock", role)): role for role in TIMELOCK_ROLES}
        granted = await self.logs("Timelock", "RoleGranted(bytes32,address,address)", first_block)
        revoked = await self.logs("Timelock", "RoleRevoked(bytes32,address,address)", first_block)
        members: dict[str, set[Address]] = {}
        for log in sorted(granted + revoked, key=lambda log: (log["blockNumber"], log["logIndex"])):
            role = names.get(bytes(log["topics"][1]), "0x" + bytes(log["topics"][1]).hex())
            account = Address(_address_in(bytes(log["topics"][2])))
            held = members.setdefault(role, set())
            if log in granted:
                held.add(account)
            else:
                held.discard(account)
        return members


def _address_in(word: bytes) -> Address:
    """Read an address out of a 32-byte word."""
    return checksummed(word[12:])


async def check_deployment(
    client: ChainClient, network: Network, order: Order, creations: tuple[Creation, ...], deployer: Address
) -> list[Fact]:
    """Read every role, parameter, address, balance and the code back from the chain.

    Args:
        client: of the chain.
        network: where everything should lie.
        order: how everything should be.
        creations: the contracts.
        deployer: who must have no power left.

    Returns:
        What was read; all of it as ordered.

    Raises:
        DeploymentWrong: something is not; names each difference.
    """
    reader = Reader(client, network)
    code = await _code_facts(client, creations)
    _require(code)  # other code may not even answer
    facts = [
        *code,
        *await _token_facts(reader, network, order, deployer),
        *await _staking_facts(reader, network, order, deployer),
        *await _timelock_facts(reader, network, order),
        *await _money_facts(reader, network, order),
        *(await _faucet_facts(client, reader, network, order) if network.faucet else []),
    ]
    _require(facts)
    return facts


def _require(facts: list[Fact]) -> None:
    wrong = [fact for fact in facts if fact.expected != fact.actual]
    if wrong:
        raise DeploymentWrong([f"{fact.what} is {fact.actual} and should be {fact.expected}" for fact in wrong])


def _fact(what: str, expected: object, actual: object) -> Fact:
    return Fact(what, str(expected), str(actual))


async def _code_facts(client: ChainClient, creations: tuple[Creation, ...]) -> list[Fact]:
    facts = []
    for creation in creations:
        where = on_chain(creation.address)
        code = await client.run(lambda web3, where=where: web3.eth.get_code(where))  # type: ignore[misc]
        right = load_artifact(creation.name).is_runtime_of(bytes(code))
        actual = creation.name if right else "other code" if code else "nothing"
        facts.append(_fact(f"the code at {creation.address}", creation.name, actual))
    return facts


async def _token_facts(reader: Reader, network: Network, order: Order, deployer: Address) -> list[Fact]:
    facts = [_fact("the supply of CAI", SUPPLY, await reader.read("CuckooToken", "totalSupply"))]
    holders = allocation(order, deployer, network.faucet)
    holders[network.staking] = order.reserve
    holders[deployer] = holders.get(deployer, 0) - order.reserve
    for holder, amount in holders.items():
        facts.append(_fact(f"the CAI of {holder}", amount, await reader.read("CuckooToken", "balanceOf", holder)))
    return facts


async def _staking_facts(reader: Reader, network: Network, order: Order, deployer: Address) -> list[Fact]:
    read = reader.read
    domain = await read("Staking", "eip712Domain")
    facts = [
        _fact("Staking.token", network.token, await read("Staking", "token")),
        _fact("Staking.owner", network.timelock, await read("Staking", "owner")),
        _fact("Staking.pendingOwner", NOBODY, await read("Staking", "pendingOwner")),
        _fact("Staking.guardian", order.guardian, await read("Staking", "guardian")),
        _fact("Staking.isSlasher(Disputes)", True, await read("Staking", "isSlasher", network.disputes)),
        _fact("the EIP-712 domain", ["Cuckoo", "1", network.chain_id, network.staking], list(domain[1:5])),
        _fact("the emission rate (wei/s)", order.emission_rate, await reader.emission_rate()),
    ]
    for name, account in {"the deployer": deployer, "the governor": order.governor, "Escrow": network.escrow}.items():
        facts.append(_fact(f"Staking.isSlasher({name})", False, await read("Staking", "isSlasher", account)))
    miners = order.reserve * 60 // 100
    for role, reserve in ((Role.MINER, miners), (Role.COORDINATOR, order.reserve - miners)):
        found = await read("Staking", "roleOf", int(role))
        facts.append(_fact(f"the reserve of the {role.name.lower()}s (wei)", reserve, found[2]))
    found = await read("Staking", "parameters")
    for name, expected in msgspec.structs.asdict(order.rules.parameters).items():
        index = network.parameters.__struct_fields__.index(name)
        facts.append(_fact(f"Staking.parameters.{name}", expected, found[index]))
    return facts


async def _timelock_facts(reader: Reader, network: Network, order: Order) -> list[Fact]:
    members = await reader.timelock_members(network.deploy_block)
    expected = {
        "DEFAULT_ADMIN_ROLE": {network.timelock},
        "PROPOSER_ROLE": {order.governor},
        "CANCELLER_ROLE": {order.governor},
        "EXECUTOR_ROLE": {NOBODY},
    }
    facts = [_fact("Timelock.getMinDelay", order.rules.timelock_delay, await reader.read("Timelock", "getMinDelay"))]
    for role in sorted(expected.keys() | members.keys()):
        should, has = sorted(expected.get(role, ())), sorted(members.get(role, ()))
        facts.append(_fact(f"{role} of the timelock", should, has))
    return facts


async def _money_facts(reader: Reader, network: Network, order: Order) -> list[Fact]:
    read = reader.read
    source = await read("Disputes", "randomness")
    facts = [
        _fact("Escrow.staking", network.staking, await read("Escrow", "staking")),
        _fact("Escrow.token", network.token, await read("Escrow", "token")),
        _fact("Escrow.thawS", order.rules.escrow_thaw, await read("Escrow", "thawS")),
        _fact("Disputes.staking", network.staking, await read("Disputes", "staking")),
        _fact("Disputes.randomness", network.randomness, source),
    ]
    found = await read("Disputes", "disputeParameters")
    for index, (name, expected) in enumerate(msgspec.structs.asdict(order.rules.disputes).items()):
        facts.append(_fact(f"Disputes.disputeParameters.{name}", expected, found[index]))
    return facts


async def _faucet_facts(client: ChainClient, reader: Reader, network: Network, order: Order) -> list[Fact]:
    read, faucet, native = reader.read, network.faucet or NOBODY, order.faucet_native or 0
    return [
        _fact("Faucet.TOKEN", network.token, await read("Faucet", "TOKEN")),
        _fact("Faucet.owner", order.governor, await read("Faucet", "owner")),
        _fact("Faucet.DRIP_CAI", DEVNET_DRIP, await read("Faucet", "DRIP_CAI")),
        _fact("Faucet.DRIP_NATIVE", native // DRIPS, await read("Faucet", "DRIP_NATIVE")),
        _fact("Faucet.COOLDOWN", DRIP_COOLDOWN_S, await read("Faucet", "COOLDOWN")),
        _fact("the native coin of the faucet (wei)", native, await client.native_balance(faucet)),
        _fact("the CAI of the faucet (wei)", FAUCET_CAI, await read("CuckooToken", "balanceOf", faucet)),
    ]
