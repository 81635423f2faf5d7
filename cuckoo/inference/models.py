"""Which models this installation can serve: the registry ``models.toml``, folders and digests. Never imports torch."""

import hashlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from cuckoo.domain.errors import ConfigError, InvalidField
from cuckoo.domain.identifiers import ModelDigest, parse_model_digest
from cuckoo.domain.task import SCHEDULERS

REGISTRY_FILE = "models.toml"
_WEIGHTS = ("diffusion_pytorch_model", "model")
_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack")
_LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
_TEXT_SUFFIXES = (".json", ".txt", ".model")
_CHUNK = 1 << 20


class Defaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a task gets when it does not say otherwise.

    Attributes:
        width_px, height_px: sides of the picture.
        steps: denoising steps.
        guidance: classifier-free guidance scale.
        scheduler: diffusers' name, or "" for the model's own.
    """

    width_px: int
    height_px: int
    steps: int
    guidance: float
    scheduler: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What this model is offered for.

    Attributes:
        max_pixels: width times height of one picture.
        max_steps: denoising steps.
        schedulers: diffusers' names of those it draws well with, besides its own.
    """

    max_pixels: int
    max_steps: int
    schedulers: tuple[str, ...] = SCHEDULERS


class LoraFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A LoRA of a model.

    Attributes:
        source: a safetensors file (absolute, or relative to the registry file).
        digest: its sha256.
        title: one line for lists.
    """

    source: str
    digest: str
    title: str = ""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the registry.

    Attributes:
        name: what people call it.
        source: a folder (absolute, or relative to the registry file) or a hub id such as "org/name".
        digest: sha256 over the files that are loaded, see :func:`digest`.
        title: one line for lists.
        gpu_dtype: the dtype on a GPU ("float16", "bfloat16" or "float32"); a CPU always computes in float32.
        defaults, limits: see there.
        cpu_threads: most CPU threads worth giving it, 0 for no limit. Steps of a very small model take longer when
            they are shared out, because threads that wait must sleep.
        loras: LoRAs that tasks may name with it, by what people call them.
    """

    name: str
    source: str
    digest: ModelDigest
    title: str
    defaults: Defaults
    limits: Limits
    gpu_dtype: str = "float16"
    cpu_threads: int = 0
    loras: dict[str, LoraFile] = {}


def bundled_directory() -> Path:
    """Return the folder with ``models.toml``, ``devnet.toml`` and the bundled model.

    It is ``cuckoo/config`` inside a wheel and ``config`` beside the package in a checkout.

    Raises:
        ConfigError: neither exists.
    """
    inside = Path(str(resources.files("cuckoo"))) / "config"
    beside = Path(__file__).resolve().parents[2] / "config"
    for folder in (inside, beside):
        if (folder / REGISTRY_FILE).is_file():
            return folder
    raise ConfigError(f"looking for {REGISTRY_FILE}: neither {inside} nor {beside} has it; install Cuckoo again")


def load_registry(path: Path | None = None) -> dict[str, Model]:
    """Read the models of a registry file by name.

    Args:
        path: the file; default the bundled one.

    Returns:
        Entries whose ``source`` is an absolute folder path, or a hub id where no such folder exists.

    Raises:
        ConfigError: the file is missing, is not TOML, or an entry is wrong; says which.
    """
    path = path or bundled_directory() / REGISTRY_FILE
    try:
        rows: Mapping[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("models", {})
        models = {name: msgspec.convert({"name": name, **row}, Model) for name, row in rows.items()}
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, AttributeError, TypeError) as error:
        raise ConfigError(f"reading the models in {path}: {error}") from error
    if not models:
        raise ConfigError(f"reading the models in {path}: it has no [models.NAME] section")
    for model in models.values():
        try:
            for digest in (model.digest, *(lora.digest for lora in model.loras.values())):
                parse_model_digest(digest)
        except InvalidField as error:
            raise ConfigError(f"reading the models in {path}: {model.name}: {error}") from error
    return {name: _at_home(model, path.parent) for name, model in models.items()}


def _at_home(model: Model, folder: Path) -> Model:
    """Return a model whose sources are absolute."""
    loras = {
        name: msgspec.structs.replace(lora, source=str((folder / Path(lora.source).expanduser()).resolve()))
        for name, lora in model.loras.items()
    }
    return msgspec.structs.replace(model, source=_located(model.source, folder), loras=loras)


def by_digest(models: Mapping[str, Model]) -> dict[ModelDigest, Model]:
    """Return the same models by digest."""
    return {model.digest: model for model in models.values()}


def _located(source: str, beside: Path) -> str:
    folder = (beside / Path(source).expanduser()).resolve()
    return str(folder) if folder.is_dir() else source


def _index(folder: Path) -> dict[str, Any]:
    path = folder / "model_index.json"
    try:
        index = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"reading the model in {folder}: model_index.json: {error}; is it a diffusers folder?"
        ) from error
    if not isinstance(index.get("_class_name"), str):
        raise ConfigError(f"reading the model in {folder}: it names a pipeline of its own code, which is never run")
    return index


def components(folder: Path) -> Iterator[str]:
    """Yield the components that diffusers loads, refusing those that bring code of their own; raises ConfigError."""
    for name, value in _index(folder).items():
        if not isinstance(value, list) or not value or value[0] is None:
            continue
        if value[0] not in _LIBRARIES:
            raise ConfigError(
                f"reading the model in {folder}: component {name} comes from {value[0]!r}; "
                "only parts of diffusers and transformers are loaded, never a model's own code"
            )
        yield name


def _weights(component: Path) -> list[Path]:
    """Return the safetensors files that are loaded for one component; none for a tokenizer or a scheduler."""
    for stem in _WEIGHTS:
        shards = component / f"{stem}.safetensors.index.json"
        if shards.is_file():
            weight_map = msgspec.json.decode(shards.read_bytes())["weight_map"]
            return [component / name for name in sorted(set(weight_map.values()))]
        single = component / f"{stem}.safetensors"
        if single.is_file():
            return [single]
    pickles = sorted(p.name for p in component.iterdir() if p.suffix in _PICKLES)
    if pickles:
        raise ConfigError(
            f"reading the model in {component.parent}: {component.name}/{pickles[0]} is a pickle, which can run any "
            "code when it is loaded; only safetensors are accepted: convert it, or take a model that has them"
        )
    return []


def loaded_files(folder: Path) -> list[Path]:
    """Return the files of a diffusers folder that decide its pictures, sorted by relative path.

    They are ``model_index.json`` and, of each component, its safetensors (without variants) and the JSON and text
    files beside them (configuration, vocabulary, merges).

    Raises:
        ConfigError: not a diffusers folder, a component missing, weights as pickles, or code of its own.
    """
    files = [folder / "model_index.json"]
    for name in components(folder):
        component = folder / name
        if not component.is_dir():
            raise ConfigError(f"reading the model in {folder}: the folder of its component {name} is missing")
        files += _weights(component)
        files += [p for p in component.iterdir() if p.suffix in _TEXT_SUFFIXES and p.is_file()]
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


class DigestCache:
    """Remembers sha256 sums of files by path, size and time of change, so that a start does not read 10 GB again."""

    def __init__(self, path: Path) -> None:
        """Read what the JSON file ``path`` remembers; an unreadable one counts as empty."""
        self._path = path
        try:
            self._sums = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            self._sums = {}

    def sha256(self, path: Path) -> str:
        """Return the sum of one file, from memory when the file has not changed."""
        stat = path.stat()
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        if key not in self._sums:
            self._sums[key] = _sha256(path)
        return self._sums[key]

    def save(self) -> None:
        """Write the sums back, atomically."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(msgspec.json.encode(self._sums))
        draft.replace(self._path)


def _sha256(path: Path) -> str:
    sum_ = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sum_.update(chunk)
    return sum_.hexdigest()


def sha256_of(file: Path, cache: DigestCache | None) -> str:
    """Return the sum of one file, from the cache where it is known there."""
    return cache.sha256(file) if cache else _sha256(file)


def digest(folder: Path, cache: DigestCache | None = None) -> ModelDigest:
    """Compute the model digest of a diffusers folder.

    sha256 over the lines ``path sha256`` (relative path with forward slashes, a space, 64 hex digits, a newline),
    sorted by path, of :func:`loaded_files`.

    Raises:
        ConfigError: see :func:`loaded_files`.
    """
    sha256 = cache.sha256 if cache else _sha256
    lines = "".join(f"{path.relative_to(folder).as_posix()} {sha256(path)}\n" for path in loaded_files(folder))
    if cache:
        cache.save()
    return ModelDigest(hashlib.sha256(lines.encode()).hexdigest())


if __name__ == "__main__":
    import sys

    sys.stdout.writelines(f"{digest(Path(folder))}  {folder}\n" for folder in sys.argv[1:])
