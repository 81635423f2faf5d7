"""A whole data folder in one file, taken while its owner works; and back again."""

import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from cuckoo import __version__
from cuckoo.domain.errors import ConfigError
from cuckoo.storage.lock import DirectoryLock
from cuckoo.storage.writer import DATABASE_NAME

FORMAT = 1
MANIFEST = "manifest.json"
_BLOBS = "blobs"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. ``folder``: the name of the data folder, for example "coordinator-1"."""

    format: int
    version: str
    folder: str
    made_at: str


def backup(folder: Path, file: Path) -> Manifest:
    """Write a data folder into a tar file, for its owner only: it holds the secrets of draws.

    Databases are copied in one consistent state each by SQLite itself, then the segments of blobs, which only grow: the
    copy holds every blob that the copied database names.

    Args:
        folder: of a coordinator or a miner; a process may be using it.
        file: must not exist; appears when it is whole and on disk.

    Raises:
        ConfigError: there is nothing to back up, the file is there already, or it can not be written.
    """
    if not (folder / DATABASE_NAME).is_file():
        raise ConfigError(f"back up {folder}: there is no {DATABASE_NAME} in it")
    if file.exists():
        raise ConfigError(f"back up {folder}: {file} is there already")
    made = Manifest(
        format=FORMAT, version=__version__, folder=folder.name, made_at=datetime.now(UTC).isoformat(timespec="seconds")
    )
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as work, _whole(file) as part:
            os.fchmod(part.fileno(), 0o600)
            with tarfile.open(fileobj=part, mode="w") as tar:
                manifest = Path(work) / MANIFEST
                manifest.write_bytes(msgspec.json.encode(made))
                tar.add(manifest, MANIFEST)
                for database in sorted(folder.glob("*.sqlite")):
                    copy = Path(work) / database.name
                    _copy(database, copy)
                    tar.add(copy, database.name)
                    copy.unlink()
                for segment in sorted((folder / _BLOBS).glob("*")):
                    with suppress(FileNotFoundError):  # its time of keeping has just ended
                        tar.add(segment, f"{_BLOBS}/{segment.name}")
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"back up {folder} to {file}: {error}") from error
    return made


def restore(file: Path, folder: Path) -> Manifest:
    """Put a backup where no data folder is.

    Args:
        file: as ``backup`` wrote it.
        folder: must not exist, or be empty.

    Raises:
        ConfigError: the folder holds something, or the file is no whole backup; then nothing is changed.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"restore {file}: {folder} is not empty; move it away first")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".restore-") as work:
            fresh = Path(work) / folder.name
            (fresh / _BLOBS).mkdir(mode=0o700, parents=True)
            with tarfile.open(file) as tar:
                for member in tar:
                    _extract(tar, member, fresh)
            made = msgspec.json.decode((fresh / MANIFEST).read_bytes(), type=Manifest)
            if made.format != FORMAT:
                raise ConfigError(
                    f"restore {file}: its format {made.format} is unknown here; install the newer version"
                )
            (fresh / MANIFEST).unlink()
            for database in fresh.glob("*.sqlite"):
                _check(database)
            with DirectoryLock(fresh):
                shutil.rmtree(folder, ignore_errors=True)
                fresh.chmod(0o700)
                fresh.rename(folder)
    except (OSError, tarfile.TarError, sqlite3.Error, msgspec.DecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"restore {file} to {folder}: {error}") from error
    return made


@contextmanager
def _whole(file: Path) -> Iterator[IO[bytes]]:
    """Write a file beside its place, and move it there once it is on disk."""
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".backup-", delete=False) as part:
        try:
            yield part
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).rename(file)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one file of a backup; raises ConfigError for anything that a backup does not hold."""
    *above, name = member.name.split("/")
    known = (
        name == MANIFEST or name.endswith(".sqlite") if not above else above == [_BLOBS] and name not in (".", "..", "")
    )
    source = tar.extractfile(member) if known and member.isfile() else None
    if source is None:
        raise ConfigError(f"restore: {member.name!r} is no part of a backup")
    with source, folder.joinpath(*above, name).open("xb") as target:
        shutil.copyfileobj(source, target)


def _copy(database: Path, copy: Path) -> None:
    with (
        closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def _check(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        (found,) = connection.execute("PRAGMA quick_check").fetchone()
    if found != "ok":
        raise ConfigError(f"restore: {database.name} is damaged: {found}")
