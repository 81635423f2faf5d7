"""A coordinator with a miner that paints at once: shows each step, then brings pictures."""

import asyncio
import io
from contextlib import asynccontextmanager

from msgspec.structs import replace
from PIL import Image, ImageDraw

from cuckoo.protocol.receipts import pixel_hash
from tests.support.coordinating import MODEL, OFFER, ScriptedMiner, png, running


def painting(width_px, height_px, number):
    """Return (PNG file, pixel hash) of something that is not one colour."""
    image = Image.new("RGB", (width_px, height_px), (246, 240, 226))
    draw = ImageDraw.Draw(image)
    middle, radius = (width_px // 2, height_px * 9 // 16), min(width_px, height_px) // 3
    box = [middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius]
    draw.ellipse(box, fill=(190, 40 + 30 * number, 45))
    draw.line([middle[0], box[1], middle[0] + radius // 3, box[1] - radius // 2], fill=(90, 60, 30), width=3)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), pixel_hash(height_px, width_px, image.tobytes())


@asynccontextmanager
async def studio(folder, *, gate=None, models=(MODEL,), loras=()):
    """Run both; ``gate``: an event that the miner waits for before it brings a picture."""
    async with running(folder, models=models) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in(models=(replace(OFFER, loras=loras),))

        async def work():
            while True:
                signed = await miner.poll()
                if signed is None:
                    continue
                wanted = signed.assignment.parameters
                steps = wanted.denoising_steps * wanted.pictures
                for step in range(1, steps + 1):
                    preview, _ = png(colour=(50 + 30 * (step % 6), 60, 60))
                    await miner.progress(signed.assignment, step, preview=preview)
                cancelled = False
                while gate is not None and not gate.is_set() and not cancelled:
                    cancelled = (await miner.progress(signed.assignment, steps, preview=preview)).cancelled
                    await asyncio.sleep(0.05)
                if cancelled:
                    continue
                pictures = [painting(wanted.width_px, wanted.height_px, number) for number in range(wanted.pictures)]
                await miner.submit(signed.assignment, miner.result(signed.assignment, pictures=pictures))

        task = asyncio.create_task(work())
        try:
            yield coordinator
        finally:
            task.cancel()
            await asyncio.wait({task})
            await miner.client.close()
