"""The one-command network: a chain, funded wallets, stake and votes, one coordinator and three miners."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from cuckoo.chain.deployment import read_network
from cuckoo.chain.devnet import DEPLOYER_KEY
from cuckoo.chain.keystore import load_key, new_key
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.client.app import AppClient
from cuckoo.demo.processes import Processes
from cuckoo.domain.amounts import CAI, COORDINATOR_MINIMUM, Wei
from cuckoo.domain.errors import FatalError
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.protocol.views import MinerView
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.wallet import Wallet, drip

CHAIN_TIMEOUT_S = 30.0
READY_TIMEOUT_S = 150.0
LOOK_EVERY_S = 0.1
GRACE_S = "1"
# The demo's wallets have no password and live as long as the demo: there is nothing that a work factor could protect.
SCRYPT_N = 2**8


class MinerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A miner of the demo, and the stake behind it in CAI."""

    name: str
    text: str
    own_cai: int
    voter: str = ""
    votes_cai: int = 0

    @property
    def weight_cai(self) -> int:
        """What counts in draws; votes count up to nine times its own stake."""
        return self.own_cai + min(self.votes_cai, 9 * self.own_cai)


COORDINATOR = "nest"
COORDINATOR_VOTER, COORDINATOR_VOTES_CAI = "carol", 400_000
PRICE_CAI = 10
"""Of a megapixel-step."""

SETTINGS = {
    "CUCKOO_COORDINATOR_PRICE": str(PRICE_CAI),
    "CUCKOO_COORDINATOR_ESCROW": "100",  # more than any miner can earn: stake alone decides here
    "CUCKOO_MINER_REDEEM_AT": "1000000",  # the demo redeems at its end, before the eyes of the user
}
MINERS = (
    MinerPlan(name="wren", text="The smallest there can be: nobody votes for it yet.", own_cai=20_000),
    MinerPlan(name="robin", text="Somebody trusts it.", own_cai=20_000, voter="alice", votes_cai=30_000),
    MinerPlan(name="magpie", text="More own stake, and more votes.", own_cai=50_000, voter="bob", votes_cai=80_000),
)
CHEATER = MinerPlan(name="jay", text="More pictures than anybody else!", own_cai=400_000)


def owner_of(name: str) -> str:
    """Return the name of the wallet that owns a node."""
    return f"{name}-owner"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which commands find the demo's network; nothing of the user's own set-up leaks in."""
    kept = {key: value for key, value in os.environ.items() if key == "CUCKOO_ANVIL" or not key.startswith("CUCKOO_")}
    return {**kept, **SETTINGS, "CUCKOO_DATA_DIR": str(folder), "CUCKOO_PASSWORD": ""}


def free_port(preferred: int) -> int:
    """Return ``preferred`` where nobody listens on it, else a free port of loopback."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise FatalError("start the demo: no port is free on 127.0.0.1")


@asynccontextmanager
async def running_chain(folder: Path) -> AsyncIterator[tuple[Processes, ChainClient]]:
    """Start ``cuckoo devnet`` and connect to it; everything started later stops before it."""
    async with Processes(folder, environment(folder)) as processes:
        await processes.start("devnet", ["devnet", "--port", str(free_port(8545))])
        file = folder / "networks" / "devnet.json"

        async def appear() -> None:
            async with asyncio.timeout(CHAIN_TIMEOUT_S):
                while not file.exists():  # noqa: ASYNC110  another process writes it
                    await asyncio.sleep(LOOK_EVERY_S)

        await processes.guard(appear())
        async with await ChainClient.connect(read_network(file)) as client:
            yield processes, client


class Founding:
    """Makes keys, funds them, registers nodes, votes: what people do with ``cuckoo keys``, ``faucet`` and ``stake``."""

    def __init__(self, folder: Path, client: ChainClient) -> None:
        """Keep keys in ``folder``."""
        self._folder = folder
        self._keys = folder / "keys"
        self._client = client
        self._payer = Sender(client, DEPLOYER_KEY)
        self._senders: dict[str, Sender] = {}

    def key(self, name: str) -> bytes:
        """Make a key, or load it when it is there."""
        if not (self._keys / f"{name}.json").exists():
            new_key(self._keys, name, "", scrypt_n=SCRYPT_N)
        return load_key(name, directory=self._keys, password=lambda _: "", environ={}, raw_allowed=False)

    def sender(self, name: str) -> Sender:
        """Return the wallet of somebody who was funded."""
        return self._senders[name]

    def miner_folder(self, node: NodeId) -> Path:
        """Return where a miner of this network keeps its receipts and vouchers."""
        return self._folder / self._client.network.name / f"miner-{node}"

    async def fund(self, names: Sequence[str]) -> None:
        """Have the faucet give CAI and gas to each."""
        for name in names:
            self._senders[name] = Sender(self._client, self.key(name))
        await asyncio.gather(*(drip(self._client, self._payer, self._senders[name].address) for name in names))

    async def register(self, role: Role, name: str, amount: Wei, introduction: Introduction) -> NodeId:
        """Stake out of the owner's wallet and register a node that the key ``name`` runs."""
        owner = self._senders[owner_of(name)]
        await Wallet(self._client, owner.address, owner).deposit(amount)
        new = NewNode(role=role, introduction=introduction, amount=amount)
        return (await Registration(self._client, owner).register(new, Signer(self.key(name)))).node_id

    async def vote(self, voter: str, node: NodeId, amount: Wei) -> None:
        """Stake out of a voter's wallet and stand behind a node."""
        sender = self._senders[voter]
        wallet = Wallet(self._client, sender.address, sender)
        await wallet.deposit(amount)
        await wallet.vote(node, amount)


async def found(founding: Founding, origin: str) -> dict[str, NodeId]:
    """Fund everybody, register the coordinator and the miners; returns node ids by name."""
    names = [COORDINATOR, *(plan.name for plan in MINERS)]
    voters = [COORDINATOR_VOTER, *(plan.voter for plan in MINERS if plan.voter)]
    await founding.fund([*names, *map(owner_of, names), *voters])
    nest = Introduction(name=COORDINATOR, text="Hatches the pictures of the demo.", url=origin)
    nodes = await asyncio.gather(
        founding.register(Role.COORDINATOR, COORDINATOR, COORDINATOR_MINIMUM, nest),
        *(
            founding.register(
                Role.MINER, plan.name, Wei(plan.own_cai * CAI), Introduction(name=plan.name, text=plan.text)
            )
            for plan in MINERS
        ),
    )
    return dict(zip(names, nodes, strict=True))


async def found_cheater(founding: Founding) -> NodeId:
    """Fund and register the miner of the second act; returns its node id."""
    await founding.fund([CHEATER.name, owner_of(CHEATER.name)])
    introduction = Introduction(name=CHEATER.name, text=CHEATER.text)
    return await founding.register(Role.MINER, CHEATER.name, Wei(CHEATER.own_cai * CAI), introduction)


async def cast_votes(founding: Founding, nodes: dict[str, NodeId]) -> None:
    """Let the stakers vote."""
    voting = [plan for plan in MINERS if plan.voter]
    await asyncio.gather(
        founding.vote(COORDINATOR_VOTER, nodes[COORDINATOR], Wei(COORDINATOR_VOTES_CAI * CAI)),
        *(founding.vote(plan.voter, nodes[plan.name], Wei(plan.votes_cai * CAI)) for plan in voting),
    )


async def start_coordinator(processes: Processes, port: int, *, audits: str) -> None:
    """Start the coordinator; ``audits``: the part of all results that it has made again, 0..1."""
    arguments = ["coordinator", "--key", COORDINATOR, "--port", str(port), "--grace", GRACE_S]
    await processes.start(COORDINATOR, arguments, CUCKOO_COORDINATOR_AUDITS=audits)


async def start_roles(processes: Processes, port: int) -> None:
    """Start the coordinator and the miners, as anybody would."""
    await start_coordinator(processes, port, audits="0")
    for plan in MINERS:
        await processes.start(plan.name, ["miner", "--key", plan.name, "--threads", "1", "--grace", GRACE_S])


async def wait_until_ready(client: AppClient, nodes: dict[str, NodeId]) -> list[MinerView]:
    """Wait until the coordinator draws, and every miner is signed in with its model and its full weight."""
    weights = {nodes[plan.name]: plan.weight_cai * CAI for plan in MINERS}
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            while True:
                if await client.ready():
                    miners = [miner for miner in (await client.miners()).miners if miner.node_id in weights]
                    ready = [miner for miner in miners if miner.models and miner.weight_wei == weights[miner.node_id]]
                    if len(ready) == len(weights):
                        return ready
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise FatalError(f"start the demo: after {READY_TIMEOUT_S:.0f} s not every miner is ready") from None
