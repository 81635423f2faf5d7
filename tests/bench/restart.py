"""Row ``restart``: from the start of the process to the first assignment in a miner's hands, with a full store.

The store holds 1,000,000 finished and 10,000 open tasks, written by SQL with the sizes that real ones have; the pictures
of the finished ones are a hole in a segment file. What a real start also needs, the chain's registry, is row ``chain``.
"""

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from cuckoo.protocol.messages import TaskRequest, encode_binary
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.services.dispatch.requests import parameters_of
from cuckoo.storage.store import open_store
from cuckoo.storage.writer import DATABASE_NAME
from tests.bench.children import child
from tests.bench.figures import Figure, Row
from tests.bench.town import HEIGHT_PX, PRICE_WEI, STEPS, WIDTH_PX
from tests.support.coordinating import FREE, MODEL

FINISHED = 1_000_000
OPEN = 10_000
ROUNDS = 3
PICTURE_BYTES = 21_000
SEGMENT = 1
FROM = "FROM counted WHERE n <= :finished"
FILL = f"""
CREATE TEMP TABLE counted (n INTEGER PRIMARY KEY);
INSERT INTO counted WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :all) SELECT n FROM c;
INSERT INTO tasks (position, task_id, body_hash, parameters, status, created_at, ended_at, price_wei)
SELECT n, randomblob(16), randomblob(32), :parameters, iif(n <= :finished, 'done', 'queued'), :now,
       iif(n <= :finished, :now, NULL), :price FROM counted;
INSERT INTO seed_tips (tip_id, tip, secret, first_period, block, created_at)
VALUES (1, zeroblob(32), zeroblob(32), 1, 1, :now);
INSERT INTO attempts (task, attempt, coordinator_node, miner_node, sequence, assignment, assignment_hash, signature,
                      deadline, assigned_at, seed_tip, draw_index, draw_head, draw_block, odds, candidates, state,
                      receipt, receipt_signature, ended_at)
SELECT n, 1, 1, 2 + n % 100, n, zeroblob(600), randomblob(32), randomblob(65), :now, :now, zeroblob(32), n,
       randomblob(32), 1, 0.01, 100, 'done', zeroblob(400), randomblob(65), :now {FROM};
INSERT INTO blob_segments VALUES ({SEGMENT}, :finished * {PICTURE_BYTES});
INSERT INTO pictures SELECT n, 0, randomblob(32) {FROM};
INSERT INTO blobs SELECT blob_hash, {SEGMENT}, (task - 1) * {PICTURE_BYTES}, {PICTURE_BYTES} FROM pictures ORDER BY 1;
INSERT INTO ledger (at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, attempt)
SELECT :now, 'owed', 'result', 2 + n % 100, :price, :price, task_id, 1
FROM counted JOIN tasks ON position = n WHERE n <= :finished;
"""


async def _filled(folder):
    async with open_store(folder):
        pass
    request = TaskRequest(prompt="0", width_px=WIDTH_PX, height_px=HEIGHT_PX, steps=STEPS)
    parameters = encode_binary(parameters_of(request, Catalogue([MODEL], FREE), os.urandom))
    values = {
        "all": FINISHED + OPEN,
        "finished": FINISHED,
        "parameters": parameters,
        "now": int(time.time()),
        "price": str(PRICE_WEI),
    }
    connection = sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    connection.execute("BEGIN")
    for statement in FILL.split(";\n")[:-1]:
        connection.execute(statement, values)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    segment = folder / "blobs" / f"{SEGMENT:08d}.seg"
    segment.touch()
    os.truncate(segment, FINISHED * PICTURE_BYTES)
    return (folder / DATABASE_NAME).stat().st_size


async def _measure(options):
    served, dispatched = [], []
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        folder = Path(name) / "data"
        size = await _filled(folder)
        for _ in range(ROUNDS):
            async with AsyncExitStack() as stack:
                start = time.time()
                coordinator = await stack.enter_async_context(child("tests.bench.coordinator", folder, 100, 256))
                origin = (await coordinator.read())["origin"]
                served.append(time.time() - start)
                load = await stack.enter_async_context(child("tests.bench.load", origin, 0, 1, 1))
                await load.read()
                dispatched.append((await load.ask(do="first"))["at"] - start)
    return Row(
        [
            Figure("from start to first dispatch", statistics.median(dispatched), "s"),
            Figure("from start until it serves", statistics.median(served), "s"),
            Figure("database", size / 1e6, "MB"),
        ],
        {"served_s": served, "dispatched_s": dispatched},
        ["1,000,000 finished and 10,000 open tasks; a miner's own start and sign-in are part of it"],
    )


def measure(options):
    """Measure the row."""
    return asyncio.run(_measure(options))
