"""The latents of results that are not settled yet, a file each: their coordinator may ask for some of them."""

import asyncio
from collections.abc import Collection
from pathlib import Path

import structlog

from cuckoo.inference.latents import opened
from cuckoo.protocol.messages import Challenge, ChallengeAnswer

log = structlog.get_logger(__name__)

MOST_BYTES = 4 << 30
"""Beyond that the oldest go; at 1,024 px a picture of 30 steps takes 8 MB until its coordinator has answered."""


class KeptLatents:
    """Files in a folder, by assignment hash. They are the child's to write, so that they outlive a restart."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        """Take a folder of their own; it is made if it does not exist."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()  # whoever writes there may stand elsewhere
        self._most_bytes = most_bytes

    def file(self, assignment_hash: bytes) -> Path:
        """Return where the latents of an assignment belong, after making room."""
        kept = sorted((one.stat().st_mtime, one.stat().st_size, one) for one in self._folder.iterdir())
        total = sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if total <= self._most_bytes:
                break
            log.warning("latents let go: too many results wait for their coordinators", file=path.name)
            path.unlink(missing_ok=True)
            total -= size
        return self._path(assignment_hash)

    async def answer(self, assignment_hash: bytes, challenge: Challenge) -> ChallengeAnswer:
        """Show what a challenge asks for; raises NotFound when that was not kept, or never was."""
        latents = await asyncio.to_thread(opened, self._path(assignment_hash), challenge)
        return ChallengeAnswer(latents=latents)

    def drop(self, assignment_hash: bytes) -> None:
        """Let go of what nobody asks for any more."""
        self._path(assignment_hash).unlink(missing_ok=True)

    def drop_all_but(self, assignment_hashes: Collection[bytes]) -> None:
        """Let go of what an earlier life left behind."""
        names = {one.hex() for one in assignment_hashes}
        for path in self._folder.iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)

    def _path(self, assignment_hash: bytes) -> Path:
        return self._folder / assignment_hash.hex()
