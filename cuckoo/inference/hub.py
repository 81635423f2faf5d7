"""Model files from the hub, downloaded by a child process before anything is loaded, resumed where they stopped.

The hub's own client begins a file anew after its process was killed; these are gigabytes. So each file grows under a
name that lasts, and the rest of it is asked for at the next start. Only what is loaded is downloaded: the safetensors,
and the JSON and text files beside them.
"""

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from cuckoo.domain.errors import ConfigError, TransientError
from cuckoo.inference.models import Model, components

COMMAND = (sys.executable, "-m", "cuckoo.inference.hub")
_INDEX, _COMPLETE = "model_index.json", "complete"
_TEXT_SUFFIXES = (".json", ".txt", ".model")
_PICKLE_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack")
_WEIGHTS = re.compile(r"(diffusion_pytorch_model|model)(-\d{5}-of-\d{5})?\.safetensors")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_CHUNK = 1 << 20
_TELL_S = 0.2
_TRIES, _WAIT_S, _SILENCE_S = 6, 1.0, 60.0


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """How far a download is.

    Attributes:
        model: its name in the registry.
        file: which is under way.
        done, total: bytes over all files of the model.
    """

    model: str = ""
    file: str = ""
    done: int
    total: int


class _Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the child: how far it is, or the folder with everything, or why there is none."""

    progress: Fetched | None = None
    folder: str = ""
    error: str = ""
    again: bool = False


# In the parent.


async def fetch_all(
    models: Sequence[Model], root: Path, told: Callable[[Fetched], None], command: Sequence[str] = COMMAND
) -> list[Model]:
    """Bring the models that are named by a hub id, one after the other.

    Args:
        models: of the registry; those whose source is a folder stay as they are.
        root: folder for downloads.
        told: hears how it goes.
        command: how the child is started.

    Returns:
        The models in the same order, every source a folder.

    Raises:
        ConfigError: a source is neither a folder nor a model of the hub that may be loaded, or the disk is too small.
        TransientError: the hub does not answer; what is there is kept.
    """
    return [await _fetched(model, root, told, command) for model in models]


def _found(model: Model, root: Path) -> Path | None:
    """Return the folder of a model that needs no download."""
    if Path(model.source).is_dir():
        return Path(model.source)
    if not _SOURCE.fullmatch(model.source):
        raise ConfigError(
            f"download the model {model.name}: {model.source!r} is no folder here, and no hub id such as org/name"
        )
    return _complete(model.source, model.digest, root)


async def _fetched(model: Model, root: Path, told: Callable[[Fetched], None], command: Sequence[str]) -> Model:
    folder = _found(model, root) or await _fetch(model, root, told, command)
    return msgspec.structs.replace(model, source=str(folder))


async def _fetch(model: Model, root: Path, told: Callable[[Fetched], None], command: Sequence[str]) -> Path:
    process = await asyncio.create_subprocess_exec(
        *command,
        model.source,
        model.digest,
        str(root),
        stdin=asyncio.subprocess.PIPE,  # the child ends with it, whatever becomes of its parent
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    errors = asyncio.create_task(process.stderr.read()) if process.stderr else None
    last = _Said()
    try:
        while process.stdout and (line := await process.stdout.readline()):
            last = msgspec.json.decode(line, type=_Said)
            if last.progress is not None:
                told(msgspec.structs.replace(last.progress, model=model.name))
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        said = (await errors).decode(errors="replace").strip().splitlines() if errors else []
    if last.folder:
        return Path(last.folder)
    why = last.error or (said[-1] if said else f"the process ended with code {process.returncode}")
    kind = TransientError if last.again else ConfigError
    raise kind(f"download the model {model.name} ({model.source}): {why}")


def _folder_name(source: str, commit: str) -> str:
    return f"{source.replace('/', '--')}@{commit[:12]}"


def _complete(source: str, digest: str, root: Path) -> Path | None:
    """Return the folder that was downloaded whole for a digest, without asking anybody."""
    for folder in sorted(root.glob(_folder_name(source, "*"))):
        try:
            if (folder / _COMPLETE).read_text(encoding="ascii") == digest:
                return folder
        except (OSError, UnicodeDecodeError):
            continue
    return None


# In the child.


class _File(NamedTuple):
    """A file of the hub: its path, its bytes, and its sha256, "" for small ones that have none."""

    path: str
    size: int
    sha256: str


def wanted(names: Iterable[str], parts: Iterable[str], source: str) -> list[str]:
    """Choose the files that are loaded.

    Args:
        names: all paths of the repository.
        parts: its components, by ``model_index.json``.
        source: hub id, for messages.

    Raises:
        ConfigError: a component has its weights as pickles only.
    """
    chosen = []
    by_folder: dict[str, list[str]] = {}
    for path in names:
        folder, _, name = path.partition("/")
        if _PLAIN.fullmatch(name):
            by_folder.setdefault(folder, []).append(name)
    for part in parts:
        found = by_folder.get(part, ()) if _PLAIN.fullmatch(part) else ()
        weights = [name for name in found if _WEIGHTS.fullmatch(name)]
        pickles = sorted(name for name in found if name.endswith(_PICKLE_SUFFIXES))
        if pickles and not weights:
            raise ConfigError(
                f"{source} has {part}/{pickles[0]}, a pickle, which can run any code when it is loaded, and no "
                "safetensors: take a model that has them"
            )
        chosen += [f"{part}/{name}" for name in (*weights, *found) if name in weights or name.endswith(_TEXT_SUFFIXES)]
    return list(dict.fromkeys(chosen))


class _Download:
    """One repository, at one commit, into one folder."""

    def __init__(self, source: str, commit: str, files: dict[str, _File], folder: Path) -> None:
        self._source = source
        self._commit = commit
        self._files = files
        self._folder = folder
        self._done = 0
        self._total = 0
        self._told_at = 0.0

    def run(self) -> None:
        """Bring the index, then what it names; raises ConfigError or TransientError."""
        if _INDEX not in self._files:
            raise ConfigError(f"{self._source} has no {_INDEX}: it is no diffusers model")
        self._bring(self._files[_INDEX])
        names = wanted(self._files, list(components(self._folder)), self._source)
        files = [self._files[name] for name in names]
        self._total = sum(file.size for file in files)
        self._done = sum(self._there(file) for file in files)
        missing, free = self._total - self._done, shutil.disk_usage(self._folder).free
        if missing > free:
            raise ConfigError(f"{missing:,} bytes are missing, and {self._folder} has room for {free:,}")
        for file in files:
            self._bring(file)
        self._tell("", now=True)

    def _there(self, file: _File) -> int:
        """Return how many bytes of a file are here already."""
        for path in (self._path(file), self._part(file)):
            if path.is_file():
                return min(file.size, path.stat().st_size)
        return 0

    def _path(self, file: _File) -> Path:
        return self._folder / file.path

    def _part(self, file: _File) -> Path:
        return self._folder / f"{file.path}.part"

    def _bring(self, file: _File) -> None:
        path, part = self._path(file), self._part(file)
        if path.is_file() and path.stat().st_size == file.size:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        tries = 0
        while not part.is_file() or part.stat().st_size < file.size:
            before = part.stat().st_size if part.is_file() else 0
            try:
                self._append(file, part, before)
            except (ConfigError, OSError) as error:
                if isinstance(error, ConfigError) or error.errno is not None:  # refused, or the disk
                    raise
                tries = self._failed(tries, part, before, error)
            except Exception as error:  # noqa: BLE001 - whatever the HTTP client of the day raises
                tries = self._failed(tries, part, before, error)
            if not file.size:
                break
        self._check(file, part)
        part.replace(path)

    @staticmethod
    def _failed(tries: int, part: Path, before: int, error: Exception) -> int:
        """Wait before another try; raises TransientError after too many that brought nothing."""
        gained = part.is_file() and part.stat().st_size > before
        tries = 0 if gained else tries + 1
        if tries >= _TRIES:
            raise TransientError(f"{type(error).__name__}: {error}") from error
        time.sleep(_WAIT_S * 2**tries)
        return tries

    def _append(self, file: _File, part: Path, start: int) -> None:
        """Ask for the rest of a file and write what comes."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        url = hf_hub_url(self._source, file.path, revision=self._commit)
        with get_session().stream("GET", url, headers=headers, timeout=_SILENCE_S) as response:
            if 400 <= response.status_code < 500 and response.status_code not in (408, 429):
                raise ConfigError(f"the hub answers {response.status_code} for {file.path}")
            hf_raise_for_status(response)
            whole = response.status_code != 206
            with part.open("wb" if whole else "ab", buffering=0) as out:
                if whole:
                    self._done -= min(start, self._done)
                for chunk in response.iter_bytes(_CHUNK):
                    out.write(chunk)
                    self._done += len(chunk)
                    self._tell(file.path)

    def _check(self, file: _File, part: Path) -> None:
        """Compare with what the hub says of the file; what is wrong is thrown away."""
        if part.stat().st_size == file.size and (not file.sha256 or _sha256(part) == file.sha256):
            return
        part.unlink()
        raise TransientError(f"{file.path} is not what the hub says it is: it will be downloaded again")

    def _tell(self, file: str, *, now: bool = False) -> None:
        if self._total and (now or time.monotonic() - self._told_at >= _TELL_S):
            self._told_at = time.monotonic()
            _say(_Said(progress=Fetched(file=file, done=self._done, total=self._total)))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _say(said: _Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


def _listed(source: str) -> tuple[str, dict[str, _File]]:
    """Ask the hub for the newest commit of a model and its files; raises ConfigError or TransientError."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = HfApi().model_info(source, files_metadata=True, timeout=_SILENCE_S)
    except HfHubHTTPError as error:
        said = str(error).strip().splitlines()[0]
        status = error.response.status_code if error.response is not None else 0
        raise (ConfigError if 400 <= status < 500 else TransientError)(said) from error
    except Exception as error:
        raise TransientError(f"the hub does not answer ({type(error).__name__}: {error})") from error
    files = {
        one.rfilename: _File(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "")
        for one in info.siblings or ()
    }
    return info.sha or "main", files


def _main(source: str, digest: str, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{_folder_name(source, 'lock')}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another miner of this machine may be at the same model
        commit, files = _listed(source)
        folder = root / _folder_name(source, commit)
        folder.mkdir(exist_ok=True)
        _Download(source, commit, files, folder).run()
        (folder / _COMPLETE).write_text(digest, encoding="ascii")
    _say(_Said(folder=str(folder)))


def _end_with_parent() -> None:
    """End as soon as the parent's end of the pipe is closed."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Download ``SOURCE DIGEST ROOT``, telling the parent how it goes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    source, digest, root = sys.argv[1:]
    try:
        _main(source, digest, Path(root))
    except (ConfigError, TransientError, OSError) as error:
        _say(_Said(error=str(error), again=isinstance(error, TransientError)))
        sys.stdout.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
