"""Training that was stopped goes on where it was: weights, optimiser and the spent budget of each stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from cuckoo.inference.train.budget import Budget

_EVERY_S = 60.0


class Checkpoint:
    """One file per stage under the output folder, removed when the model is written."""

    def __init__(self, folder: Path) -> None:
        """Keep the files in ``folder``."""
        self._folder = folder
        self._saved_s = time.monotonic()

    def _path(self, stage: str) -> Path:
        return self._folder / f"{stage}.pt"

    @contextmanager
    def kept(self, stage: str, parts: dict[str, Any], budget: Budget) -> Iterator[None]:
        """Go on from the file of a stage, and write it when the stage ends or is interrupted."""
        self.restore(stage, parts, budget)
        try:
            yield
        finally:
            self.save(stage, parts, budget)

    def restore(self, stage: str, parts: dict[str, Any], budget: Budget) -> bool:
        """Fill parts and budget from the file of a stage; False when there is none."""
        path = self._path(stage)
        if not path.is_file():
            return False
        state = torch.load(path, weights_only=True, map_location="cpu")
        for name, part in parts.items():
            part.load_state_dict(state[name])
        budget.done_steps, budget.done_s = int(state["steps"]), float(state["seconds"])
        return True

    def save(self, stage: str, parts: dict[str, Any], budget: Budget) -> None:
        """Write parts and budget, atomically."""
        self._folder.mkdir(parents=True, exist_ok=True)
        state = {name: part.state_dict() for name, part in parts.items()}
        draft = self._path(stage).with_suffix(".new")
        torch.save({**state, "steps": budget.done_steps, "seconds": budget.elapsed_s}, draft)
        draft.replace(self._path(stage))
        self._saved_s = time.monotonic()

    def save_now_and_then(self, stage: str, parts: dict[str, Any], budget: Budget) -> None:
        """Write when the last time was a minute ago."""
        if time.monotonic() - self._saved_s >= _EVERY_S:
            self.save(stage, parts, budget)

    def remove(self) -> None:
        """Forget everything: the model is finished."""
        for path in self._folder.glob("*.pt"):
            path.unlink()
        if self._folder.is_dir():
            self._folder.rmdir()
