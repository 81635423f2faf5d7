"""What the doctor found out about this machine, as it is kept, and what a miner offers because of it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from cuckoo.domain.errors import ConfigError
from cuckoo.inference.host import Host, version_of
from cuckoo.inference.models import Model

FILE = "doctor.json"


class SizeFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One size of picture.

    Attributes:
        peak_bytes: the most memory that the worker took up to the end of this picture; 0 where there was none.
        step_s: seconds of a denoising step.
        picture_s: seconds of a picture of the model's default steps, encoding and decoding included.
        problem: why there was no picture, "" where there was one.
    """

    width_px: int
    height_px: int
    peak_bytes: int = 0
    step_s: float = 0.0
    picture_s: float = 0.0
    problem: str = ""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width_px * self.height_px


class ModelFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one device.

    Attributes:
        digest: of its files.
        load_s: seconds until it was in memory; 0 where it never was.
        max_pixels: the largest picture that it may be offered for; 0 when it may not be offered at all.
        problem: what went wrong first, "" for nothing.
    """

    model: str
    digest: str
    device: str
    load_s: float = 0.0
    max_pixels: int = 0
    sizes: tuple[SizeFinding, ...] = ()
    problem: str = ""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found.

    Attributes:
        at: unix seconds.
        torch: version of the installed package; what was measured with another one does not count.
    """

    at: float
    torch: str
    hosts: tuple[Host, ...]
    models: tuple[ModelFinding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing went wrong."""
        return not any(one.problem for one in self.models)


def write_findings(data_dir: Path, findings: Findings) -> Path:
    """Keep what was found in a data folder, beside what was found there about other models and devices.

    Returns:
        The file.

    Raises:
        ConfigError: it can not be written.
    """
    path = data_dir / FILE
    before = read_findings(data_dir)
    if before is not None:
        new = {(one.device, one.digest) for one in findings.models}
        devices = {one.device for one in findings.hosts}
        findings = msgspec.structs.replace(
            findings,
            hosts=(*findings.hosts, *(one for one in before.hosts if one.device not in devices)),
            models=(*findings.models, *(one for one in before.models if (one.device, one.digest) not in new)),
        )
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".new")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(findings), indent=1) + b"\n")
        partial.replace(path)
    except OSError as error:
        raise ConfigError(f"write {path}: {error.strerror}") from None
    return path


def read_findings(data_dir: Path) -> Findings | None:
    """Read what was found; None where nothing was, or with another torch, or the file can not be read."""
    try:
        findings = msgspec.json.decode((data_dir / FILE).read_bytes(), type=Findings)
    except (OSError, msgspec.DecodeError):
        return None
    return findings if findings.torch == version_of("torch") else None


def what_passed(
    models: Sequence[Model], devices: Sequence[str], findings: Findings
) -> tuple[list[Model], dict[str, str]]:
    """Leave out what failed, and limit the rest to the sizes that passed on every device.

    A model that was not examined on each of the devices stays as it is.

    Args:
        models: what the operator wants to serve.
        devices: on what.
        findings: of this machine.

    Returns:
        Models to load, and by the name of each that is left out or limited, why.
    """
    kept, reasons = [], {}
    by_place = {(one.device, one.digest): one for one in findings.models}
    for model in models:
        found = [by_place.get((device, model.digest)) for device in dict.fromkeys(devices)]
        known = [one for one in found if one is not None]
        if len(known) < len(found):
            kept.append(model)
            continue
        least = min(known, key=lambda one: one.max_pixels)
        if not least.max_pixels:
            reasons[model.name] = f"left out: on {least.device} it failed: {least.problem}"
        elif least.max_pixels < model.limits.max_pixels:
            limits = msgspec.structs.replace(model.limits, max_pixels=least.max_pixels)
            kept.append(msgspec.structs.replace(model, limits=limits))
            reasons[model.name] = f"offered up to {least.max_pixels:,} pixels: {least.problem}"
        else:
            kept.append(model)
    return kept, reasons
