"""The demo's second act: a fourth miner cheats, is caught by an audit, judged by the others on chain, and slashed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.client.app import AppClient
from cuckoo.client.asking import ask, miner_names
from cuckoo.client.pictures import Pictures
from cuckoo.demo import network as nets
from cuckoo.demo.cheats import Cheat
from cuckoo.demo.processes import Processes
from cuckoo.demo.sheet import Tile, contact_sheet
from cuckoo.demo.show import Show
from cuckoo.domain.amounts import CAI, format_cai
from cuckoo.domain.dispute import Outcome, Phase
from cuckoo.domain.errors import FatalError
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.png import difference
from cuckoo.protocol.views import MinerView
from cuckoo.services.disputing.court import Docket
from cuckoo.services.disputing.results import Result

Found = TypeVar("Found")

CHEAT = Cheat.FEWER_STEPS
"""No eye sees it."""

PROMPT, SEED = "a red apple", 7
ASKED_MOST = 40
SIGNED_IN_TIMEOUT_S = 90.0
ACCUSED_TIMEOUT_S = 90.0
JUDGED_TIMEOUT_S = 150.0
LOOK_EVERY_S = 0.3
SHEET_FILE = "faked-and-honest.png"

_PHASES = {
    Phase.CLAIM: "accused on chain with the signed receipt as evidence; miners claim seats in its jury",
    Phase.COMMIT: "{seats} seats are taken; jurors make the picture again and commit to their verdicts",
    Phase.REVEAL: "jurors reveal their verdicts",
    Phase.APPEAL: "{guilty} seats say guilty, {not_guilty} not guilty; an appeal is possible now",
}


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, in the demo's JSON.

    Attributes:
        cheat: what the miner did.
        difference: between its picture and an honest one, mean of 255.
        seats, guilty: of the jury.
        lost, burned: CAI.
        words: the same for people.
    """

    miner: str
    node: NodeId
    cheat: str
    difference: float
    seats: int
    guilty: int
    lost: str
    burned: str
    words: str
    sheet: str


class Trial:
    """Brings a cheat in, and watches what becomes of it."""

    def __init__(self, chain: ChainClient, founding: nets.Founding, processes: Processes, client: AppClient) -> None:
        """Take the network of the first act."""
        self._chain = chain
        self._founding = founding
        self._processes = processes
        self._client = client
        self._staking = StakingContract(chain)

    async def run(self, show: Show, out: Path, port: int, honest: Sequence[NodeId]) -> TrialResult:
        """Play the act.

        Args:
            show: tells what happens.
            out: folder for the picture of the two pictures.
            port: where the coordinator serves.
            honest: the miners of the first act.

        Raises:
            FatalError: the cheat got away, or somebody honest was punished.
        """
        plan = nets.CHEATER
        show.say(
            f"\nA fourth miner comes: {plan.name}, with more stake than the others together. "
            f"It {CHEAT.sentence}, and signs that it did all of them."
        )
        with show.stage(f"{plan.name} registered with {plan.own_cai:,} CAI of its own"):
            node = await nets.found_cheater(self._founding)
            before = {one: (await self._staking.node(one)).own_wei for one in (node, *honest)}
        with show.stage("coordinator started again: from now on others make every result once more"):
            await self._processes.stop_one(nets.COORDINATOR)
            await nets.start_coordinator(self._processes, port, audits="1")
            await self._processes.start(
                plan.name, ["miner", "--key", plan.name, "--threads", "1", "--grace", nets.GRACE_S, "--cheat", CHEAT]
            )
            miners = await self._signed_in({node, *honest})
        faked, real = await self._pictures(show, node, miners)
        apart, _ = difference(faked.pictures[0].png, real.pictures[0].png)
        sheet = self._sheet(out, faked, real, miner_names(miners))
        with show.stage("other miners made it again without knowing why, and agreed with each other"):
            docket = Docket(self._chain)
            await self._until(docket.contract.count, ACCUSED_TIMEOUT_S, "for an accusation")
        result = await self._judged(show, docket)
        ending, last = result.ending, result.rounds[-1]
        if result.dispute.outcome is not Outcome.CONVICTED or ending is None or result.dispute.miner != node:
            raise FatalError(f"catch the cheat: {result.words}")
        show.say(f"  {result.words.replace(f'miner {node}', plan.name)}")
        await self._standing(show, node, before)
        return TrialResult(
            miner=plan.name,
            node=node,
            cheat=CHEAT.sentence,
            difference=round(apart, 2),
            seats=last.claimed,
            guilty=last.guilty,
            lost=format_cai(ending.lost_wei, grouped=False),
            burned=format_cai(result.burned_wei, grouped=False),
            words=result.words,
            sheet=str(sheet),
        )

    async def _signed_in(self, wanted: set[NodeId]) -> list[MinerView]:
        """Wait until all of them work for the coordinator again."""

        async def all_there() -> list[MinerView] | None:
            if not await self._client.ready():
                return None
            miners = [one for one in (await self._client.miners()).miners if one.node_id in wanted and one.models]
            return miners if len(miners) == len(wanted) else None

        return await self._until(all_there, SIGNED_IN_TIMEOUT_S, "until all miners are back")

    async def _pictures(self, show: Show, cheater: NodeId, miners: Sequence[MinerView]) -> tuple[Pictures, Pictures]:
        """Ask for the same picture until the cheat has made it, and somebody honest as well."""
        names, found = miner_names(miners), dict[bool, Pictures]()
        for number in range(1, ASKED_MOST + 1):
            made = await ask(self._client, TaskRequest(prompt=PROMPT, seed=SEED), lambda _: None)
            found.setdefault(made.attempt.miner_node == cheater, made)
            if len(found) > 1:
                apart, _ = difference(found[True].pictures[0].png, found[False].pictures[0].png)
                show.say(
                    f'  "{PROMPT}", seed {SEED}, was asked for {number} times; {nets.CHEATER.name} and '
                    f"{names[found[False].attempt.miner_node]} sent pictures that lie {apart:.1f} of 255 apart:\n  "
                    f"look at {SHEET_FILE}"
                )
                return found[True], found[False]
        raise FatalError(f"catch the cheat: of {ASKED_MOST} tasks it was drawn for all or for none")

    @staticmethod
    def _sheet(out: Path, faked: Pictures, real: Pictures, names: dict[NodeId, str]) -> Path:
        tiles = []
        for made, said in ((faked, "half the steps"), (real, "all its steps")):
            name = names[made.attempt.miner_node]
            file = out / f"trial-{name}.png"
            file.write_bytes(made.pictures[0].png)
            tiles.append(Tile(file, PROMPT, f"{name}: {said}"))
        return contact_sheet(tiles, out / SHEET_FILE)

    async def _judged(self, show: Show, docket: Docket) -> Result:
        """Tell each phase of the first dispute, up to its end."""
        told: Phase | None = None
        try:
            async with asyncio.timeout(JUDGED_TIMEOUT_S):
                while True:
                    result = await docket.result(await docket.contract.dispute(1))
                    phase, last = result.dispute.phase, result.rounds[-1]
                    if phase is Phase.ENDED:
                        return result
                    if phase is not told and phase in _PHASES:
                        told = phase
                        counts = {"seats": last.claimed, "guilty": last.guilty, "not_guilty": last.not_guilty}
                        show.say(f"  {nets.CHEATER.name}: {_PHASES[phase].format(**counts)}")
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise FatalError(f"judge the cheat: no end after {JUDGED_TIMEOUT_S:.0f} s") from None

    async def _standing(self, show: Show, cheater: NodeId, before: Mapping[NodeId, int]) -> None:
        """Tell what is left of the cheat's stake, and that nobody else lost any."""
        now = {one: await self._staking.node(one) for one in before}
        juries = await Docket(self._chain).contract.count()
        left = now[cheater]
        show.say(
            f"  {nets.CHEATER.name} had {before[cheater] // CAI:,} CAI and has {format_cai(left.own_wei)} "
            f"(results that juries judge or have judged: {juries});\n"
            f"  it is in jail: its weight is {format_cai(left.weight_wei)}, so nobody draws it"
        )
        hurt = [one for one in before if one != cheater and now[one].own_wei < before[one]]
        if hurt or left.weight_wei or left.own_wei >= before[cheater]:
            raise FatalError(f"punish the cheat alone: nodes {hurt or [cheater]} do not stand as they should")
        show.say("  no honest miner lost anything")

    @staticmethod
    async def _until(look: Callable[[], Awaitable[Found | None]], timeout_s: float, what: str) -> Found:
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := await look()):  # noqa: ASYNC110  another process makes it so
                    await asyncio.sleep(LOOK_EVERY_S)
                return found
        except TimeoutError:
            raise FatalError(f"run the demo: waited {timeout_s:.0f} s {what}") from None
