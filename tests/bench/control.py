"""Row ``control``: tasks through the whole control plane, against one commit per write and against Procrastinate.

A task is a submission, a draw, a signed assignment on a long poll, a result of 21 KB with its signed receipt, and a
signed voucher: three HTTP requests and three durable writes. Load comes from processes of its own, which check and sign
on the miners' side. A closed loop keeps a fixed number of tasks open (tasks a second); latency is taken in an open loop
with random arrivals at half of that rate, from before the app's request to the miner's receipt of the assignment.
"""

import asyncio
import statistics
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.bench import rival
from tests.bench.children import child
from tests.bench.figures import Figure, Row

IN_FLIGHT = 256
LOADS = 2
BATCH_MAX = 256
WARM_S = 1.0
MINERS = 100
SLOTS_IN_ALL = 400
LATENCY_ROUNDS = 3


class Town:
    """A coordinator with its load."""

    def __init__(self, coordinator, loads):
        self.coordinator = coordinator
        self.loads = loads

    async def closed(self, seconds, in_flight=IN_FLIGHT):
        """Return tasks a second, and seconds of CPU for a task: of the coordinator, of the load."""
        before = self._cpu_s()
        answers = await self._all(do="closed", in_flight=in_flight // len(self.loads), seconds=seconds, warm_s=WARM_S)
        rate = sum(one["per_second"] for one in answers)
        tasks = rate * (seconds + WARM_S)
        return rate, *((after - at_first) / tasks for after, at_first in zip(self._cpu_s(), before, strict=True))

    async def latencies_ms(self, per_second, seconds):
        answers = await self._all(do="open", per_second=per_second / len(self.loads), seconds=seconds)
        return sorted(latency for one in answers for latency in one["latencies_ms"])

    async def _all(self, **command):
        answers = await asyncio.gather(*(load.ask(**command) for load in self.loads))
        failures = [one["failure"] for one in answers if one["failure"]]
        if failures:
            raise RuntimeError(f"a task went wrong under load: {failures[0]}")
        return answers

    def _cpu_s(self):
        return self.coordinator.usage()[0], sum(load.usage()[0] for load in self.loads)


@asynccontextmanager
async def town(directory, *, miners, batch_max=BATCH_MAX, profile=""):
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=directory))
        arguments = [Path(folder) / "data", miners, batch_max, *([profile] if profile else [])]
        coordinator = await stack.enter_async_context(child("tests.bench.coordinator", *arguments))
        origin = (await coordinator.read())["origin"]
        slots = max(1, SLOTS_IN_ALL // miners)
        part = miners // LOADS
        loads = []
        for number in range(LOADS):
            load = child("tests.bench.load", origin, number * part, part, slots)
            loads.append(await stack.enter_async_context(load))
        await asyncio.gather(*(load.read() for load in loads))
        yield Town(coordinator, loads)


def percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else float("nan")


async def half_load(place, rate, seconds):
    """Return (p50, p99) in ms: the median of rounds."""
    rounds = [await place.latencies_ms(rate / 2, seconds) for _ in range(LATENCY_ROUNDS)]
    return tuple(statistics.median(percentile(one, percent) for one in rounds) for percent in (50, 99))


async def _compare(options):
    """Time the three of them in turns; returns the rounds of each."""
    rounds = {"ours": [], "one_commit_each": [], "procrastinate": []}
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(town(options.directory, miners=MINERS))
        single = await stack.enter_async_context(town(options.directory, miners=MINERS, batch_max=1))
        other, why_not = await rival.start(stack, options.directory)
        for _ in range(options.rounds):
            rounds["ours"].append(await ours.closed(options.seconds))
            rounds["one_commit_each"].append(await single.closed(options.seconds))
            if other is not None:
                rounds["procrastinate"].append(await other.ask(seconds=options.seconds))
        rate = statistics.median(rate for rate, *_ in rounds["ours"])
        rounds["latency_ms"] = await half_load(ours, rate, options.seconds)
    return rounds, why_not


async def _growth(options):
    grown = []
    for miners in options.miners:
        async with town(options.directory, miners=miners) as place:
            rates = [await place.closed(options.seconds) for _ in range(3)]
            rate = statistics.median(rate for rate, *_ in rates)
            p50, p99 = await half_load(place, rate, options.seconds)
        grown.append({"miners": miners, "tasks_per_s": rate, "p50_ms": p50, "p99_ms": p99})
    return grown


def _over(rounds, others):
    return statistics.median(rate / other for (rate, *_), other in zip(rounds, others, strict=True))


async def _measure(options):
    rounds, why_not = await _compare(options)
    ours = rounds["ours"]
    p50, p99 = rounds["latency_ms"]
    row = Row(
        [
            Figure(
                "end to end over the same code with one commit per write",
                _over(ours, [rate for rate, *_ in rounds["one_commit_each"]]),
                "x",
                2.5,
            ),
            Figure("end to end", statistics.median(rate for rate, *_ in ours), "tasks/s", 2_500),
            Figure(
                "the same, one commit per write", statistics.median(r for r, *_ in rounds["one_commit_each"]), "tasks/s"
            ),
            Figure("CPU of the coordinator for a task", statistics.median(cpu for _, cpu, _ in ours) * 1e6, "us"),
            Figure("CPU of miners and apps for a task", statistics.median(cpu for *_, cpu in ours) * 1e6, "us"),
            Figure("dispatch at half load, median", p50, "ms"),
            Figure("dispatch at half load, p99", p99, "ms", 10, at_most=True),
        ],
        rounds,
    )
    if rounds["procrastinate"]:
        worker, manager = ([one[kind] for one in rounds["procrastinate"]] for kind in ("worker", "manager"))
        row.figures += [
            Figure("end to end over Procrastinate: enqueue, claim, complete", _over(ours, worker), "x", 8),
            Figure("end to end over Procrastinate's tables alone, without its worker", _over(ours, manager), "x"),
            Figure("Procrastinate on PostgreSQL", statistics.median(worker), "jobs/s"),
            Figure("Procrastinate's tables alone", statistics.median(manager), "jobs/s"),
        ]
    else:
        row.notes.append(f"Procrastinate not measured: {why_not}")
    row.raw["growth"] = await _growth(options)
    for one in row.raw["growth"]:
        said = f"{one['miners']:,} miners"
        row.figures += [
            Figure(f"end to end with {said}", one["tasks_per_s"], "tasks/s"),
            Figure(f"dispatch at half load with {said}, median", one["p50_ms"], "ms"),
            Figure(f"dispatch at half load with {said}, p99", one["p99_ms"], "ms"),
        ]
    return row


def measure(options):
    """Measure the row."""
    return asyncio.run(_measure(options))
