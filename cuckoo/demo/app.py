"""The demo's story: build a network, pace prompts through it, show what stake promised and what happened."""

import asyncio
import re
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from cuckoo.client.app import AppClient
from cuckoo.client.asking import ask, miner_names
from cuckoo.client.pictures import Pictures
from cuckoo.demo import network as nets
from cuckoo.demo.fairness import Outcome, outcomes
from cuckoo.demo.money import Settlement
from cuckoo.demo.processes import Processes
from cuckoo.demo.prompts import PROMPTS
from cuckoo.demo.sheet import Tile, contact_sheet
from cuckoo.demo.show import Show
from cuckoo.demo.trial import Trial, TrialResult
from cuckoo.domain.amounts import CAI, format_cai
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.views import EventKind, MinerView, TaskEvent

LOAD = 0.2
LONGEST_S = 110.0
WARM_UP_TASKS, MEASURED_TASKS = 3, 9
COUNT_EVERY_S = 0.3
SHEET_FILE = "contact-sheet.png"


class MinerResult(msgspec.Struct, frozen=True, kw_only=True):
    """A miner in the demo's JSON. ``stake``: its weight in CAI; ``least``, ``most``: what chance allows."""

    name: str
    node: NodeId
    stake: int
    expected: float
    done: int
    least: int
    most: int


class PersonResult(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in the demo's JSON, and what it earned in CAI: by ``pictures``, and by ``stake``."""

    who: str
    part: str
    pictures: str
    stake: str


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo made.

    Attributes:
        load: part of the miners' capacity that the prompts took.
        paid: what all pictures cost, those that measured the capacity too, in CAI.
        stakers: the part of it that goes to the miners' stakers, in CAI.
        trial: what became of the cheat of the second act.
        seconds: in all.
    """

    tasks: int
    miners: tuple[MinerResult, ...]
    pictures: tuple[str, ...]
    sheet: str
    load: float
    paid: str
    stakers: str
    earned: tuple[PersonResult, ...]
    trial: TrialResult
    seconds: float


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """The network while it is up. ``folder``: its data; ``origin``: where the coordinator serves apps."""

    folder: Path
    origin: str
    client: AppClient
    processes: Processes
    miners: tuple[MinerView, ...]
    names: dict[NodeId, str]
    settlement: Settlement
    trial: Trial
    port: int


async def run_demo(out: Path, show: Show, *, finished: Callable[[DemoResult, Up], None], keep: bool) -> None:
    """Run the demo from nothing to the last table.

    Args:
        out: folder for the pictures; must exist.
        show: tells what happens.
        finished: called with the result while the network is still up.
        keep: leave it up until Ctrl-C.

    Raises:
        CuckooError: what could not be done.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cuckoo-demo-", ignore_cleanup_errors=True) as folder:
        async with _running(Path(folder), show) as up:
            result = await up.processes.guard(_tell(up, out, show, began))
            finished(result, up)
            if keep:
                await up.processes.guard(_interrupted())


@asynccontextmanager
async def _running(folder: Path, show: Show) -> AsyncIterator[Up]:
    """Build the network step by step; everything is gone afterwards."""
    async with AsyncExitStack() as stack:
        with show.stage("a chain of its own, with the contracts deployed"):
            processes, chain = await stack.enter_async_context(nets.running_chain(folder))
        founding = nets.Founding(folder, chain)
        port = nets.free_port(8080)
        origin = f"http://127.0.0.1:{port}"
        with show.stage("wallets funded by the faucet; a coordinator and three miners registered with their stake"):
            nodes = await processes.guard(nets.found(founding, origin))
        await nets.start_roles(processes, port)
        with show.stage("three stakers voted"):
            await processes.guard(nets.cast_votes(founding, nodes))
        client = await stack.enter_async_context(AppClient(origin))
        with show.stage("coordinator and miners started, models loaded, signed in"):
            miners = await processes.guard(nets.wait_until_ready(client, nodes))
        yield Up(
            folder=folder,
            origin=origin,
            client=client,
            processes=processes,
            miners=tuple(miners),
            names=miner_names(miners),
            settlement=Settlement(chain, founding, nodes),
            trial=Trial(chain, founding, processes, client),
            port=port,
        )


async def _tell(up: Up, out: Path, show: Show, began: float) -> DemoResult:
    """Measure, draw, count."""
    with show.stage("capacity measured with a few pictures"):
        _, price_wei = await _burst(up, WARM_UP_TASKS)
        seconds, more_wei = await _burst(up, MEASURED_TASKS)
        pictures_per_s = MEASURED_TASKS / seconds
        before = await _counted(up, WARM_UP_TASKS + MEASURED_TASKS)
    gap_s = min(1 / (LOAD * pictures_per_s), LONGEST_S / len(PROMPTS))
    load = 1 / (gap_s * pictures_per_s)
    show.say(
        f"  {pictures_per_s:.1f} pictures a second at most; {len(PROMPTS)} prompts, one every {gap_s:.1f} s, take "
        f"{load:.0%} of that, so that stake has something to decide"
    )
    show.pictures(len(PROMPTS))
    gallery = Gallery(up, out, show, steps=(await up.client.models()).data[0].steps or 1)
    async with asyncio.TaskGroup() as group:
        first_at = asyncio.get_running_loop().time()
        for number, prompt in enumerate(PROMPTS, 1):
            await asyncio.sleep(max(0.0, first_at + (number - 1) * gap_s - asyncio.get_running_loop().time()))
            group.create_task(gallery.draw(number, prompt))
    rows = outcomes(before, await _counted(up, sum(miner.done for miner in before) + len(PROMPTS)), list(up.names))
    sheet = await asyncio.to_thread(contact_sheet, gallery.tiles(), out / SHEET_FILE)
    show.table([(up.names[row.node_id], row) for row in rows])
    accounts = await up.settlement.run(show, price_wei + more_wei + gallery.price_wei)
    show.earned(accounts)
    trial = await up.trial.run(show, out, up.port, list(up.names))
    return DemoResult(
        tasks=len(PROMPTS),
        miners=tuple(_miner_result(up.names[row.node_id], row) for row in rows),
        pictures=tuple(str(tile.file) for tile in gallery.tiles()),
        sheet=str(sheet),
        load=round(load, 3),
        paid=format_cai(accounts.paid_wei, grouped=False),
        stakers=format_cai(accounts.fees_wei, grouped=False),
        earned=tuple(
            PersonResult(
                who=row.who,
                part=row.part,
                pictures=format_cai(row.pictures_wei, grouped=False),
                stake=format_cai(row.stake_wei, grouped=False),
            )
            for row in accounts.earned
        ),
        trial=trial,
        seconds=round(time.monotonic() - began, 1),
    )


def _miner_result(name: str, row: Outcome) -> MinerResult:
    return MinerResult(
        name=name,
        node=row.node_id,
        stake=row.stake_wei // CAI,
        expected=round(row.expected, 3),
        done=row.done,
        least=row.least,
        most=row.most,
    )


async def _burst(up: Up, count: int) -> tuple[float, int]:
    """Ask for so many pictures at once, so that every miner is busy; returns the seconds it took, and the price."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(ask(up.client, TaskRequest(prompt=prompt, seed=seed), lambda _: None))
            for seed, prompt in enumerate(PROMPTS[:count])
        ]
    return time.monotonic() - began, sum(one.result().task.price_wei for one in asked)


async def _counted(up: Up, done: int) -> Sequence[MinerView]:
    """Read the miners' counts once they cover ``done`` tasks: the coordinator brings them up to date now and then."""
    while True:
        miners = [miner for miner in (await up.client.miners()).miners if miner.node_id in up.names]
        if sum(miner.done for miner in miners) >= done:
            return miners
        await asyncio.sleep(COUNT_EVERY_S)


async def _interrupted() -> None:
    """Wait for Ctrl-C or SIGTERM, which are the way to end a network that was to be kept."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


class Gallery:
    """Has pictures drawn, shows how they come about, and keeps them."""

    def __init__(self, up: Up, out: Path, show: Show, *, steps: int) -> None:
        """Write files into ``out``; ``steps``: how many a picture takes."""
        self._up = up
        self._out = out
        self._show = show
        self._steps = steps
        self._tiles: dict[int, Tile] = {}
        self.price_wei = 0

    async def draw(self, number: int, prompt: str) -> None:
        """Ask for picture ``number`` (from 1) and keep it; raises as :func:`cuckoo.client.asking.ask`."""

        def listen(event: TaskEvent) -> None:
            if event.kind is EventKind.DRAWN and event.attempt is not None:
                miner = self._up.names.get(event.attempt.miner_node, "?")
                self._show.drawn(number, prompt, miner, event.attempt.odds, self._steps)
            elif event.kind is EventKind.PROGRESS:
                self._show.step(number, event.step, event.steps)

        made = await ask(self._up.client, TaskRequest(prompt=prompt, seed=number), listen)
        self._tiles[number] = self._keep(number, prompt, made)
        self.price_wei += made.task.price_wei
        self._show.done(number)

    def _keep(self, number: int, prompt: str, made: Pictures) -> Tile:
        file = self._out / f"{number:02d}-{re.sub('[^a-z0-9]+', '-', prompt.lower()).strip('-')}.png"
        file.write_bytes(made.pictures[0].png)
        return Tile(file, prompt, self._up.names[made.attempt.miner_node])

    def tiles(self) -> list[Tile]:
        """Return all pictures in the order of the prompts."""
        return [tile for _, tile in sorted(self._tiles.items())]
