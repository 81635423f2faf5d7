"""One process per data directory: an advisory lock that the kernel releases when its holder dies."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from cuckoo.domain.errors import ConfigError

LOCK_NAME = "lock"


class DirectoryLock:
    """Hold ``directory/lock`` exclusively while the context is entered; the file names the holder's pid."""

    def __init__(self, directory: Path) -> None:
        """Name the directory, which must exist when the lock is taken."""
        self._directory = directory
        self._fd = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            ConfigError: another process (or this one, a second time) holds it; its pid is named.
        """
        fd = os.open(self._directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Whoever asks for the holder has the lock for a moment.
        if not any(_take(fd, pause_s) for pause_s in (0.0, 0.01, 0.1)):
            named = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise ConfigError(
                f"open data directory {self._directory}: process {named} has it open; "
                "stop that process, or name another directory in CUCKOO_DATA_DIR"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock; the file stays, since removing it would let two holders in."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def _take(fd: int, pause_s: float) -> bool:
    time.sleep(pause_s)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(directory: Path) -> int | None:
    """Return the id of the process that holds a directory's lock; None when none does, or it died."""
    try:
        fd = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        written = os.pread(fd, 32, 0).strip()
        if not written.isdigit():
            return None
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(written)
    finally:
        os.close(fd)
    return None
