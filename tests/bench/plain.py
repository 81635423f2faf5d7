"""Child: the same pictures by plain sequential diffusers and pillow's PNG at its default, one after the other.

``python -m tests.bench.plain FOLDER DEVICE DTYPE THREADS``; nothing of Cuckoo takes part but the hash of the pixels.
"""

import asyncio
import io
import sys
import time

import diffusers
import torch

from cuckoo.protocol.receipts import pixel_hash
from tests.bench.children import answer, commands


class Painter:
    """A pipeline as its documents say to use it."""

    def __init__(self, folder, device, dtype):
        self._pipe = diffusers.DiffusionPipeline.from_pretrained(
            folder, dtype=getattr(torch, dtype), use_safetensors=True
        )
        self._pipe = self._pipe.to(device)
        self._pipe.set_progress_bar_config(disable=True)

    def paint(self, prompts, seeds, width_px, height_px, steps, guidance, scheduler):
        """Return the pixel hashes of one call; its pictures are encoded, too."""
        if scheduler and type(self._pipe.scheduler).__name__ != scheduler:
            self._pipe.scheduler = getattr(diffusers, scheduler).from_config(self._pipe.scheduler.config)
        images = self._pipe(
            prompts,
            width=width_px,
            height=height_px,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        ).images
        for image in images:
            image.save(io.BytesIO(), "PNG")
        return [pixel_hash(image.height, image.width, image.convert("RGB").tobytes()).hex() for image in images]

    def measure(self, seconds, first_seed, prompts, **task):
        """Paint for some seconds; returns pictures a second and the hashes by seed."""
        hashes, started = {}, time.perf_counter()
        while not hashes or time.perf_counter() - started < seconds:
            seed = first_seed + len(hashes)
            (hashes[seed],) = self.paint([prompts[seed % len(prompts)]], [seed], **task)
        return {"per_second": len(hashes) / (time.perf_counter() - started), "hashes": hashes}


async def main(folder, device, dtype, threads):
    torch.set_num_threads(threads)
    painter = Painter(folder, device, dtype)
    answer(ready=True)
    async for command in commands():
        answer(**await asyncio.to_thread(painter.measure, **command))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
