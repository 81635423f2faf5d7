"""Append-only segment files: the bytes of the blobs, without knowing what any of them is for.

A record is ``magic 4 | length u32 | sha256 32 | data``, big-endian. Only the writer appends, syncs and removes;
any thread may read.
"""

import os
import struct
from pathlib import Path

from cuckoo.domain.errors import FatalError

MAGIC = b"CKB1"
_HEADER = struct.Struct(">4sI32s")
_SUFFIX = ".seg"
_OPEN_MAX = 4
_sync_data = getattr(os, "fdatasync", os.fsync)


class Segments:
    """The segment files of one folder, by number (the hour)."""

    def __init__(self, folder: Path) -> None:
        """Name the folder, which is made if it does not exist."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._descriptors: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._touched: set[int] = set()
        self._folder_changed = False

    def path(self, segment: int) -> Path:
        """Name a segment's file."""
        return self._folder / f"{segment:08d}{_SUFFIX}"

    def numbers(self) -> list[int]:
        """List the segments on disk, in order."""
        return sorted(int(path.stem) for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal())

    def size(self, segment: int) -> int:
        """Measure a segment in bytes; 0 when it does not exist."""
        path = self.path(segment)
        return path.stat().st_size if path.exists() else 0

    def append(self, segment: int, digest: bytes, data: bytes) -> tuple[int, int]:
        """Append a record.

        Returns:
            The offset of the data, and where the segment then ends.

        Raises:
            FatalError: the disk did not take it; what was written lies beyond the committed end.
        """
        record = _HEADER.pack(MAGIC, len(data), digest) + data
        try:
            self._descriptor(segment)
            start = self._ends[segment]
            self._write(segment, record, start)
        except OSError as error:
            raise FatalError(f"append {len(data):,} bytes to {self.path(segment)}: {error}") from error
        self._ends[segment] = start + len(record)
        return start + _HEADER.size, self._ends[segment]

    def zero(self, segment: int, offset: int, length: int) -> None:
        """Overwrite a record's data; nothing happens where the file is gone."""
        if self.path(segment).exists():
            try:
                self._write(segment, bytes(length), offset)
            except OSError as error:
                raise FatalError(f"overwrite {length:,} bytes of {self.path(segment)}: {error}") from error

    def sync(self) -> None:
        """Bring everything that was written since the last call to the disk.

        Raises:
            OSError: the disk did not take it.
        """
        for segment in self._touched:
            _sync_data(self._descriptors[segment])
        self._touched.clear()
        if self._folder_changed:
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._folder_changed = False
        while len(self._descriptors) > _OPEN_MAX:
            self._close(min(self._descriptors))

    def read(self, segment: int, offset: int, length: int) -> bytes:
        """Read a record's data; shorter, or nothing, where the file does not hold it."""
        try:
            descriptor = os.open(self.path(segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def truncate(self, segment: int, length: int) -> None:
        """Cut a segment after ``length`` bytes."""
        os.ftruncate(self._descriptor(segment), length)
        self._ends[segment] = length
        self._touched.add(segment)

    def remove(self, segment: int) -> None:
        """Delete a segment's file, if it is there."""
        self._close(segment)
        self.path(segment).unlink(missing_ok=True)

    def close(self) -> None:
        """Close all files."""
        for segment in list(self._descriptors):
            self._close(segment)

    def _descriptor(self, segment: int) -> int:
        if segment not in self._descriptors:
            path = self.path(segment)
            self._folder_changed |= not path.exists()
            self._descriptors[segment] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._ends[segment] = path.stat().st_size
        return self._descriptors[segment]

    def _write(self, segment: int, data: bytes, offset: int) -> None:
        descriptor = self._descriptor(segment)
        self._touched.add(segment)
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written

    def _close(self, segment: int) -> None:
        if segment in self._descriptors:
            os.close(self._descriptors.pop(segment))
            del self._ends[segment]
        self._touched.discard(segment)
