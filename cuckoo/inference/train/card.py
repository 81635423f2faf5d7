"""The model card: what the weights are, where they come from, what they can not do."""

from pathlib import Path

import msgspec

HISTORY_FILE = "training.json"


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """One training run in the life of the weights.

    Attributes:
        what: one sentence: which data, from which weights.
        autoencoder_steps: 0 when the autoencoder was taken over.
        psnr_db: of the autoencoder; 0 when it was taken over.
        samples: pictures that UNet and text encoder saw.
        steps: how many batches that were; 0 where it was not recorded.
        minutes: of both stages.
        loss: at the end.
    """

    what: str
    autoencoder_steps: int = 0
    psnr_db: float = 0.0
    samples: int = 0
    steps: int = 0
    minutes: float = 0.0
    loss: float = 0.0


def read_history(folder: Path) -> list[Sitting]:
    """Return the runs that made the weights in a folder, oldest first; none where nothing is written down."""
    path = folder / HISTORY_FILE
    return msgspec.json.decode(path.read_bytes(), type=list[Sitting]) if path.is_file() else []


def write(folder: Path, history: list[Sitting]) -> None:
    """Write history, card and licences beside the weights."""
    (folder / HISTORY_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(history)) + b"\n")
    rows = "\n".join(f"{number}. {one.what} {_facts(one)}" for number, one in enumerate(history, 1))
    total = sum(one.samples for one in history)
    text = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(
        text.replace("{sittings}", rows).replace("{samples}", f"{total:,}").replace("{name}", folder.name),
        encoding="utf-8",
    )
    for name in ("NOTICE", "LICENSE"):
        (folder / name).write_text(
            (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8"), encoding="utf-8"
        )


def _facts(one: Sitting) -> str:
    facts = []
    if one.autoencoder_steps:
        facts.append(f"autoencoder {one.autoencoder_steps:,} steps, PSNR {one.psnr_db:.1f} dB")
    if one.samples:
        steps = f" in {one.steps:,} steps" if one.steps else ""
        facts.append(f"UNet and text encoder {one.samples:,} samples{steps}")
    if one.minutes:
        facts.append(f"{one.minutes:.0f} minutes" if one.minutes >= 1 else f"{one.minutes * 60:.0f} seconds")
    if one.loss:
        facts.append(f"loss {one.loss:.3f} at the end")
    return f"({'; '.join(facts)}.)" if facts else ""
