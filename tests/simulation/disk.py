"""A disk that takes its time, fills up, and loses at a crash what was not synced. SQLite and the segments are real."""

import errno
import os
import shutil
from typing import ClassVar

from cuckoo.storage.writer import Writer, _resolve

COMMIT_S = (0.0005, 0.02)
"""How long a group commit takes."""


synced = {}
"""By inode: how many bytes of a file would survive a loss of power."""


def sync(descriptor):
    """Stand in for fdatasync: takes no time, and is remembered."""
    status = os.fstat(descriptor)
    synced[status.st_ino] = status.st_size


class Crashed(Exception):
    """The process died in the middle of this."""


class Disk:
    """One process's folder. ``crash`` is called when a planned crash comes."""

    def __init__(self, folder, rng, crash):
        self.folder = folder
        self.rng = rng
        self.crash = crash
        self.full = False
        self.crash_in = None  # (commits from now, when within, loses power)
        self.writer = None

    def plan_crash(self, commits, moment, power):
        """Crash at a later commit: ``moment`` is before, within or after it."""
        self.crash_in = [commits, moment, power]

    def crash_now(self):
        """Return the moment at which this commit crashes, or None."""
        if self.crash_in is None:
            return None
        self.crash_in[0] -= 1
        if self.crash_in[0] > 0:
            return None
        _, moment, power = self.crash_in
        self.crash_in = None
        return moment, power

    def lose_power(self):
        """Cut each segment somewhere between what was synced and what was written; sometimes leave rubbish there."""
        blobs = self.folder / "blobs"
        for path in sorted(blobs.glob("*.seg")) if blobs.is_dir() else ():
            status = path.stat()
            safe, size = synced.get(status.st_ino, 0), status.st_size
            keep = self.rng.randint(min(safe, size), size)
            os.truncate(path, keep)
            if keep < size and self.rng.random() < 0.5:
                with path.open("ab") as file:
                    file.write(self.rng.randbytes(size - keep))

    def remove(self):
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


class SimulatedWriter(Writer):
    """The production writer without its thread: the loop runs its commits, each a little later."""

    disks: ClassVar = {}
    """By folder."""

    observers: ClassVar = {}
    """By folder: called with the connection after each commit."""

    def __init__(self, directory, **more):
        super().__init__(directory, **more)
        self.disk = self.disks[directory]
        self.disk.writer = self
        self.dead = False
        self.power_lost = False
        self._due = False

    def _begin(self):
        """The thread gets nothing to do."""

    async def __aexit__(self, *exception):
        while self._queue and not self.dead and self._failure is None:
            self._write()
        if self.dead:
            self._queue.clear()
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        await super().__aexit__(*exception)
        if self.power_lost:
            self.disk.lose_power()

    def submit(self, command, **more):
        if self.dead:
            return self._loop.create_future()
        future = super().submit(command, **more)
        if not self._due:
            self._due = True
            self._loop.call_later(self.disk.rng.uniform(*COMMIT_S), self._write)
        return future

    def _write(self):
        self._due = False
        if self.dead or self._failure is not None or not self._queue:
            return
        batch = self._take()
        planned = self.disk.crash_now()
        if planned and planned[0] == "before":
            self.disk.crash(planned[1])
            return
        if not any(hook == self._last_hook for hook in self._hooks):
            self._hooks.append(self._last_hook)
        self._dies_within = bool(planned and planned[0] == "within")
        try:
            self._execute(batch)
            self._commit()
        except Crashed:
            self._connection.execute("ROLLBACK")
            self.disk.crash(planned[1])
            return
        except Exception as error:  # noqa: BLE001 - as the writer's own thread does
            self._stop(batch, error)
            return
        self.observers[self.directory](self._connection)
        if planned:
            self.disk.crash(planned[1])
            return
        self._loop.call_later(0.0001, self._answer, batch)
        if self._queue:
            self._due = True
            self._loop.call_later(self.disk.rng.uniform(*COMMIT_S), self._write)

    def _answer(self, batch):
        if not self.dead:
            _resolve(batch)

    def _last_hook(self):
        if self._dies_within:
            raise Crashed
        if self.disk.full:
            raise OSError(errno.ENOSPC, "No space left on device")
