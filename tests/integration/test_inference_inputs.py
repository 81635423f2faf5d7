"""Image-to-image and inpainting in the real child with the bundled model, against plain diffusers in another process."""

import hashlib
import io
import json
import subprocess
import sys

import pytest
from PIL import Image, ImageDraw

from cuckoo.domain.task import Mode, TaskParameters
from cuckoo.inference import models
from cuckoo.inference.pool import Job, JobRefused, PoolOptions, WorkerPool
from cuckoo.protocol.inputs import Inputs, packed, prepare

MODEL = models.load_registry()["emoji-64"]
ONE_CPU = PoolOptions(devices=("cpu",), threads=1)

PLAIN = """
import hashlib, io, json, sys
import diffusers, torch
from PIL import Image

tasks = json.load(sys.stdin)
torch.set_num_threads(1)
from_text = diffusers.StableDiffusionPipeline.from_pretrained(tasks["model"], dtype=torch.float32)
kinds = {
    "image-to-image": diffusers.StableDiffusionImg2ImgPipeline, "inpainting": diffusers.StableDiffusionInpaintPipeline,
}
answers = []
for task in tasks["tasks"]:
    pipe = kinds[task["mode"]](**from_text.components, requires_safety_checker=False)
    arguments = {name: Image.open(io.BytesIO(bytes.fromhex(task[name]))) for name in ("image", "mask_image") if task[name]}
    if task["mode"] == "inpainting":
        arguments |= {"width": 64, "height": 64}
    hashes = []
    for picture in range(task["pictures"]):
        made = pipe(
            task["prompt"], strength=task["strength"], num_inference_steps=task["steps"], guidance_scale=4.0,
            generator=torch.Generator("cpu").manual_seed(task["seed"] + picture), **arguments,
        ).images[0]
        sides = made.height.to_bytes(4, "big") + made.width.to_bytes(4, "big")
        hashes.append(hashlib.sha256(sides + made.tobytes()).hexdigest())
    answers.append(hashes)
print("ANSWER" + json.dumps(answers))
"""


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def circle(ground: str, colour: str) -> Image.Image:
    image = Image.new("RGB", (64, 64), ground)
    ImageDraw.Draw(image).ellipse((12, 12, 52, 52), fill=colour)
    return image


SOURCE, MASK = png(circle("white", "orange")), png(circle("black", "white"))


def asked(inputs: Inputs, **changes: object) -> TaskParameters:
    return TaskParameters(
        **{
            "salt": bytes(32),
            "model_digest": MODEL.digest,
            "prompt": "red apple",
            "width_px": 64,
            "height_px": 64,
            "steps": 8,
            "guidance_thousandths": 4000,
            "seed": 7,
            "mode": Mode.INPAINTING if inputs.mask else Mode.IMAGE,
            "source_hash": inputs.source_hash,
            "mask_hash": inputs.mask_hash,
            "strength_millionths": 600_000,
            **changes,
        }
    )


def plain(tasks: list[TaskParameters]) -> list[list[str]]:
    wanted = [
        {
            "mode": task.mode,
            "prompt": task.prompt,
            "pictures": task.pictures,
            "seed": task.seed,
            "steps": task.steps,
            "strength": task.strength_millionths / 10**6,
            "image": SOURCE.hex(),
            "mask_image": MASK.hex() if task.mode == Mode.INPAINTING else "",
        }
        for task in tasks
    ]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        input=json.dumps({"model": MODEL.source, "tasks": wanted}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.partition("ANSWER")[2])


async def test_pool__source_and_mask__pixels_of_plain_diffusers_and_steps_counted():
    source, both = prepare(SOURCE, b"", 64, 64), prepare(SOURCE, MASK, 64, 64)
    jobs = [
        (asked(source), source),
        (asked(source, pictures=2, strength_millionths=1_000_000), source),
        (asked(both), both),
        (asked(both, strength_millionths=1_000_000, steps=4, reproducible=False), both),
    ]
    seen: list[tuple[int, int]] = []
    async with WorkerPool([MODEL], ONE_CPU) as pool:
        await pool.ready.wait()
        made = [
            await pool.run(
                Job(job_id=str(number), parameters=task, inputs=inputs.payloads),
                lambda done: seen.append((done.step, done.steps)),
            )
            for number, (task, inputs) in enumerate(jobs)
        ]
        text = await pool.run(Job(job_id="text", parameters=asked(Inputs(), mode=Mode.TEXT, strength_millionths=0)))
        assert pool.loaded()[MODEL.digest].modes == tuple(Mode)
    assert [[one.hex() for one in done.picture_hashes] for done in made] == plain([task for task, _ in jobs])
    counted = [[step for step in seen if step[1] == task.denoising_steps * task.pictures] for task, _ in jobs]
    assert counted[0][:4] == [(1, 4), (2, 4), (3, 4), (4, 4)]  # 0.6 of 8 steps
    assert (16, 16) in counted[1]
    assert made[0].picture_hashes != text.picture_hashes
    assert all(done.profile.batch_bucket == 1 for done in made)


async def test_pool__inputs_that_are_missing_or_of_other_sides__refused_by_name():
    source = prepare(SOURCE, b"", 64, 64)
    small = packed(Image.new("RGB", (32, 32)))
    async with WorkerPool([MODEL], ONE_CPU) as pool:
        await pool.ready.wait()
        for inputs in ((), (small,)):
            with pytest.raises(JobRefused, match="image"):
                await pool.run(Job(job_id="x", parameters=asked(source), inputs=inputs))
    assert hashlib.sha256(source.source).digest() == source.source_hash
