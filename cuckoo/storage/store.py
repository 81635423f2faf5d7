"""All of a data directory's stores, opened together."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cuckoo.storage.accusations import Accusations
from cuckoo.storage.audits import Audits
from cuckoo.storage.blobs import Blobs
from cuckoo.storage.compounds import Compounds
from cuckoo.storage.drawlog import DrawLog
from cuckoo.storage.ledger import Ledger
from cuckoo.storage.marks import SequenceMarks
from cuckoo.storage.proofs import Proofs
from cuckoo.storage.receipts import Receipts
from cuckoo.storage.tasks import TaskStore
from cuckoo.storage.verdicts import Verdicts
from cuckoo.storage.vouchers import Vouchers
from cuckoo.storage.writer import Reader, Writer


@dataclass(frozen=True)
class Store:
    """What a role keeps: a coordinator tasks, audits, draws, marks, ledger; a miner receipts, verdicts ..."""

    writer: Writer
    reader: Reader
    blobs: Blobs
    tasks: TaskStore
    draws: DrawLog
    marks: SequenceMarks
    ledger: Ledger
    receipts: Receipts
    vouchers: Vouchers
    audits: Audits
    proofs: Proofs
    compounds: Compounds
    accusations: Accusations
    verdicts: Verdicts


@asynccontextmanager
async def open_store(directory: Path, *, clock: Callable[[], float] = time.time) -> AsyncIterator[Store]:
    """Open a data directory: lock it, migrate the database, recover the blobs.

    Args:
        directory: one per role; made if it does not exist.
        clock: unix seconds.

    Raises:
        ConfigError: another process has it open, or its database is newer than this program.
        FatalError: the disk refuses.
    """
    with ExitStack() as files:
        async with Writer(directory) as writer, Reader(directory) as reader:
            blobs = Blobs(writer, reader, clock=clock)
            files.callback(blobs.close)
            await blobs.recover()
            yield Store(
                writer=writer,
                reader=reader,
                blobs=blobs,
                tasks=TaskStore(reader, blobs),
                draws=DrawLog(reader),
                marks=SequenceMarks(reader),
                ledger=Ledger(reader),
                receipts=Receipts(reader, blobs),
                vouchers=Vouchers(reader),
                audits=Audits(reader, blobs),
                proofs=Proofs(reader),
                compounds=Compounds(reader),
                accusations=Accusations(reader),
                verdicts=Verdicts(reader),
            )
