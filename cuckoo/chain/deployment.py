"""Deploy the contracts to a chain; write and read the network file."""

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from web3.types import TxReceipt

from cuckoo.chain.deploycheck import NOBODY, Fact, Reader, check_deployment
from cuckoo.chain.deployplan import Creation, Order, digest_of, plan_creations, planned_network
from cuckoo.chain.endpoints import first_chain_id
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.chain.transactions import Sender
from cuckoo.domain.errors import ConfigError, FatalError, TransientError
from cuckoo.domain.identifiers import Address
from cuckoo.domain.network import Network, Rules, rules_of

Progress = Callable[[str], None]


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment that stopped midway needs to go on; it lies beside the network file until that is written.

    Attributes:
        first_nonce: of the first creation; it decides every address.
        first_block: no event of the contracts is older.
        digest: names everything that was ordered.
    """

    chain_id: int
    deployer: Address
    first_nonce: int
    first_block: int
    digest: str


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """A finished deployment: the network, and what was read back from it."""

    network: Network
    facts: list[Fact]


def undeployed(name: str, chain_id: int, rpc_urls: tuple[str, ...], rules: Rules) -> Network:
    """Describe a chain on which nothing is deployed yet, so that a client can be made for it."""
    return Network(
        name=name,
        chain_id=chain_id,
        rpc_urls=rpc_urls,
        token=NOBODY,
        timelock=NOBODY,
        staking=NOBODY,
        escrow=NOBODY,
        disputes=NOBODY,
        randomness=NOBODY,
        faucet=None,
        deploy_block=0,
        rules=rules,
    )


async def open_undeployed(name: str, rpc_urls: Sequence[str]) -> ChainClient:
    """Open endpoints of a chain whose id they tell themselves; close the client after use.

    Raises:
        ChainUnreachable: no endpoint answers.
    """
    chain_id = await first_chain_id(rpc_urls)
    return ChainClient(undeployed(name, chain_id, tuple(rpc_urls), rules_of(chain_id)))


async def deploy(
    client: ChainClient,
    sender: Sender,
    order: Order,
    *,
    journal: Path | None = None,
    progress: Progress = lambda _: None,
) -> Deployed:
    """Deploy a network, hand Staking to its timelock, and check the result.

    A run that stopped is taken up where it stopped when the same journal is named again.

    Args:
        client: of an undeployed network.
        sender: pays; it has no power left afterwards, unless it is the governor too.
        order: what to deploy.
        journal: written before the first transaction; None: no run can follow this one.
        progress: is told each step.

    Raises:
        ConfigError: too little gas, or the journal is of another deployment; says what to do.
        DeploymentWrong: what lies on the chain is not what was ordered.
    """
    begun = await _begin(client, sender.address, order, journal)
    creations = plan_creations(order, sender.address, begun.first_nonce)
    network = planned_network(client.network, order, creations, begun.first_block)
    run = _Run(client, sender, order, network, begun, progress)
    run.steps = len(creations) + len(_HAND_OVER)
    for index, creation in enumerate(creations):
        await run.create(creation, begun.first_nonce + index)
    for step in _HAND_OVER:
        await step(run)
    progress("reading everything back")
    facts = await check_deployment(client, network, order, creations, sender.address)
    progress(f"{len(facts)} facts are as ordered")
    return Deployed(network=network, facts=facts)


async def _begin(client: ChainClient, deployer: Address, order: Order, journal: Path | None) -> Journal:
    """Choose the first nonce, or take it from the run that stopped."""
    nonce, pending = [
        await client.run(lambda web3, tag=tag: web3.eth.get_transaction_count(on_chain(deployer), tag))  # type: ignore[misc]
        for tag in ("latest", "pending")
    ]
    if pending > nonce:
        raise TransientError(
            f"deploy: {pending - nonce} transactions of {deployer} are in no block yet: wait until they are, then run "
            "the same command again"
        )
    chain_id = client.network.chain_id
    begun = _read_journal(journal) if journal else None
    if begun is None:
        block = (await client.block()).number
        digest = digest_of(order, plan_creations(order, deployer, nonce))
        begun = Journal(chain_id=chain_id, deployer=deployer, first_nonce=nonce, first_block=block, digest=digest)
        if journal:
            _write_whole(journal, begun)
        return begun
    if (begun.chain_id, begun.deployer) != (chain_id, deployer):
        raise ConfigError(
            f"deploy: {journal} is of a run on chain {begun.chain_id} by {begun.deployer}, this one is on chain "
            f"{chain_id} by {deployer}: name another --out, or delete it to start anew"
        )
    if begun.digest != digest_of(order, plan_creations(order, deployer, begun.first_nonce)):
        raise ConfigError(
            f"deploy: the run that {journal} is of ordered something else (or was another version of Cuckoo): repeat "
            "its flags to go on, or delete that file to start anew"
        )
    return begun


class _Run:
    """One deployment on its way."""

    def __init__(
        self, client: ChainClient, sender: Sender, order: Order, network: Network, begun: Journal, progress: Progress
    ) -> None:
        self.client, self.sender, self.order, self.network, self.begun = client, sender, order, network, begun
        self.reader = Reader(client, network)
        self.steps = 0
        self._progress = progress
        self._step = 0

    async def create(self, creation: Creation, nonce: int) -> None:
        """Create a contract at its planned address, unless it is there."""
        doing, where = f"create {creation.name}", on_chain(creation.address)
        if await self.client.run(lambda web3: web3.eth.get_code(where), doing=doing):
            self.tell(f"{creation.name} is at {creation.address} already")
            return
        own = on_chain(self.sender.address)
        count = await self.client.run(lambda web3: web3.eth.get_transaction_count(own), doing=doing)
        if count != nonce:
            raise ConfigError(
                f"{doing}: {own} has sent {count} transactions where {nonce} were planned, so that the contract would "
                "lie at another address: delete the .deploying file beside --out to start anew, and let nothing else "
                "use this key meanwhile"
            )
        receipt = await self.sender.send_raw({"data": creation.data, "value": creation.value}, doing)  # type: ignore[typeddict-item]
        if str(receipt["contractAddress"]) != creation.address:
            raise FatalError(f"{doing}: it lies at {receipt['contractAddress']}, planned was {creation.address}")
        self.tell(f"created {creation.name} at {creation.address}", receipt)

    async def send(self, doing: str, contract: str, function: str, *arguments: Any) -> None:
        """Call a contract's function."""
        self.tell(doing, await self.sender.send(self.reader.call(contract, function, *arguments), doing))

    def tell(self, what: str, receipt: TxReceipt | None = None) -> None:
        """Report a step that is done."""
        self._step += 1
        spent = f" (block {receipt['blockNumber']:,}, gas {receipt['gasUsed']:,})" if receipt else ""
        self._progress(f"{self._step:2} of {self.steps}  {what}{spent}")


async def _fund_reserve(run: _Run) -> None:
    missing = run.order.reserve - await run.reader.reserve_funded(run.sender.address, run.begun.first_block)
    if missing <= 0:
        run.tell("the reserve is funded")
        return
    if await run.reader.read("CuckooToken", "allowance", run.sender.address, run.network.staking) < missing:
        approval = run.reader.call("CuckooToken", "approve", run.network.staking, missing)
        await run.sender.send(approval, "approve the reserve")
    await run.send("fund the reserve", "Staking", "fundReserve", missing)


async def _set_emission(run: _Run) -> None:
    if await run.reader.emission_rate() == run.order.emission_rate:
        run.tell("the emission rate is set")
        return
    await run.send("set the emission rate", "Staking", "setEmissionRate", run.order.emission_rate)


async def _set_guardian(run: _Run) -> None:
    if await run.reader.read("Staking", "guardian") == run.order.guardian:
        run.tell("the guardian is set")
        return
    await run.send("set the guardian", "Staking", "setGuardian", run.order.guardian)


async def _offer_ownership(run: _Run) -> None:
    if run.network.timelock in (
        await run.reader.read("Staking", "owner"),
        await run.reader.read("Staking", "pendingOwner"),
    ):
        run.tell("Staking is offered to the timelock")
        return
    await run.send("offer Staking to the timelock", "Staking", "transferOwnership", run.network.timelock)


async def _accept_ownership(run: _Run) -> None:
    if await run.reader.read("Staking", "owner") == run.network.timelock:
        run.tell("the timelock owns Staking")
        return
    await run.send("hand Staking over to the timelock", "Timelock", "acceptOwnershipOf", run.network.staking)


_HAND_OVER: Sequence[Callable[[_Run], Awaitable[None]]] = (
    _fund_reserve,
    _set_emission,
    _set_guardian,
    _offer_ownership,
    _accept_ownership,
)


def _read_journal(path: Path) -> Journal | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ConfigError(f"read {path}: {error}: delete it to start anew") from None


def journal_of(network_file: Path) -> Path:
    """Return where the journal lies of a deployment that will write a network file."""
    return network_file.with_name(network_file.name + ".deploying")


def write_network(network: Network, path: Path) -> None:
    """Write the network file, whole or not at all."""
    _write_whole(path, network)


def _write_whole(path: Path, content: msgspec.Struct) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_network(path: Path) -> Network:
    """Read a network file.

    Raises:
        ConfigError: it is not there or is no network file; says what to do.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Network)
    except FileNotFoundError:
        raise ConfigError(
            f"read network file {path}: it is not there; start a local network with cuckoo devnet, "
            "or name a file with --network",
        ) from None
    except msgspec.MsgspecError as error:
        raise ConfigError(f"read network file {path}: {error}") from None
