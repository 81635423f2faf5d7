"""Row ``parts``: what a task costs a coordinator in processor time before any of our own code runs.

Each part is taken alone, by the same libraries: HTTP without any handler's work, the signatures, the look at the picture,
and the three writes. Their sum is the least that a task can cost in one Python process; row ``control`` is to be read
against it.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from cuckoo.protocol.pictures import check_pictures
from cuckoo.protocol.signing import check_signed_by
from tests.bench.bare import ANSWER_BYTES
from tests.bench.children import child
from tests.bench.figures import Figure, Row
from tests.bench.store import tasks
from tests.bench.town import HEIGHT_PX, WIDTH_PX, Pictures, miner_key
from tests.bench.wire import Connection

CONNECTIONS = 64
STORE_CALLERS = 256
REPEATS = 500
REQUEST_BYTES = {"/submit": 150, "/poll": 120, "/result": 21_600}


def _cpu_us(work):
    """Return the processor time of one call."""
    start = time.thread_time()
    for _ in range(REPEATS):
        work()
    return (time.thread_time() - start) / REPEATS * 1e6


def _signing_us():
    key, digest = miner_key(1), os.urandom(32)
    return _cpu_us(lambda: key.sign(digest))


def _recovering_us():
    key, digest = miner_key(1), os.urandom(32)
    signature = key.sign(digest)
    return _cpu_us(lambda: check_signed_by(digest, signature, key.address, "a receipt"))


def _picture_us():
    png, pixel_hash = Pictures().next()
    return _cpu_us(
        lambda: check_pictures((png,), (pixel_hash,), count=1, width_px=WIDTH_PX, height_px=HEIGHT_PX),
    )


async def _http_us(seconds):
    """Return the server's processor time for the three requests of a task."""
    assert REQUEST_BYTES.keys() == ANSWER_BYTES.keys()
    bodies = {path: bytes(size) for path, size in REQUEST_BYTES.items()}
    done = 0

    async with child("tests.bench.bare") as server:
        port = (await server.read())["port"]
        end = time.perf_counter() + seconds

        async def app_and_miner():
            nonlocal done
            connection = await Connection.open("127.0.0.1", port)
            while time.perf_counter() < end:
                for path, body in bodies.items():
                    await connection.post(path, body)
                done += 1
            connection.close()

        before, _ = server.usage()
        await asyncio.gather(*(app_and_miner() for _ in range(CONNECTIONS)))
        after, _ = server.usage()
    return (after - before) / done * 1e6


async def _store_us(directory, seconds):
    """Return the processor time of a task's three writes, of both threads, the caller's included."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        before = time.process_time()
        rate = await tasks(Path(folder) / "data", STORE_CALLERS, seconds)
        return (time.process_time() - before) / (rate * seconds) * 1e6


def measure(options):
    """Measure the row."""
    parts = {
        "HTTP: three requests to aiohttp, with nothing behind them": lambda: asyncio.run(_http_us(options.seconds)),
        "two signatures, of the assignment and the voucher": lambda: 2 * _signing_us(),
        "the signer of the receipt": _recovering_us,
        "the picture: decoded, hashed": _picture_us,
        "the store: three durable writes, both threads": lambda: asyncio.run(
            _store_us(options.directory, options.seconds)
        ),
    }
    rounds = [{name: measured() for name, measured in parts.items()} for _ in range(options.rounds)]
    middle = {name: statistics.median(one[name] for one in rounds) for name in parts}
    total = sum(middle.values())
    return Row(
        [
            *(Figure(name, value, "µs") for name, value in middle.items()),
            Figure("all of these, for a task", total, "µs"),
            Figure("tasks of these that one core has time for", 1e6 / total, "tasks/s"),
        ],
        raw={"rounds": rounds},
    )
