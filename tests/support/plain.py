"""The same picture by plain diffusers, in a process of its own, so that nothing of Cuckoo's inference takes part."""

import json
import subprocess
import sys

PROGRAM = """
import hashlib, json, sys
import torch
from diffusers import StableDiffusionPipeline

task = json.load(sys.stdin)
torch.set_num_threads(task["threads"])
pipe = StableDiffusionPipeline.from_pretrained(task["model"], torch_dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)
hashes = []
for picture in range(task["pictures"]):
    image = pipe(
        task["prompt"],
        negative_prompt=task["negative_prompt"],
        height=task["height"],
        width=task["width"],
        num_inference_steps=task["steps"],
        guidance_scale=task["guidance"],
        generator=torch.Generator("cpu").manual_seed(task["seed"] + picture),
    ).images[0]
    sides = image.height.to_bytes(4, "big") + image.width.to_bytes(4, "big")
    hashes.append(hashlib.sha256(sides + image.tobytes()).hexdigest())
print("ANSWER" + json.dumps(hashes))
"""


def plain_picture_hashes(model, parameters, *, threads):
    """Return the pixel hashes that plain diffusers gives for a task of the model's own scheduler."""
    task = {
        "model": model,
        "threads": threads,
        "prompt": parameters.prompt,
        "negative_prompt": parameters.negative_prompt,
        "height": parameters.height_px,
        "width": parameters.width_px,
        "steps": parameters.steps,
        "guidance": parameters.guidance_thousandths / 1000,
        "seed": parameters.seed,
        "pictures": parameters.pictures,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(task), capture_output=True, text=True, check=True
    )
    return [bytes.fromhex(text) for text in json.loads(done.stdout.partition("ANSWER")[2])]


BATCH = """
import hashlib, json, sys
import torch
from diffusers import DiffusionPipeline

task = json.load(sys.stdin)
torch.set_num_threads(task["threads"])
pipe = DiffusionPipeline.from_pretrained(task["model"], dtype=getattr(torch, task["dtype"])).to(task["device"])
pipe.set_progress_bar_config(disable=True)
images = pipe(
    task["prompts"],
    height=task["height"],
    width=task["width"],
    num_inference_steps=task["steps"],
    guidance_scale=task["guidance"],
    generator=[torch.Generator("cpu").manual_seed(seed) for seed in task["seeds"]],
).images
hashes = []
for image in images:
    sides = image.height.to_bytes(4, "big") + image.width.to_bytes(4, "big")
    hashes.append(hashlib.sha256(sides + image.tobytes()).hexdigest())
print("ANSWER" + json.dumps(hashes))
"""


def plain_batch_hashes(model, tasks, *, device="cpu", dtype="float32", threads=1):
    """Return the pixel hashes that plain diffusers gives for one-picture tasks of one shape in one call."""
    first = tasks[0]
    task = {
        "model": model,
        "device": device,
        "dtype": dtype,
        "threads": threads,
        "prompts": [one.prompt for one in tasks],
        "seeds": [one.seed for one in tasks],
        "height": first.height_px,
        "width": first.width_px,
        "steps": first.steps,
        "guidance": first.guidance_thousandths / 1000,
    }
    done = subprocess.run(
        [sys.executable, "-c", BATCH], input=json.dumps(task), capture_output=True, text=True, check=True
    )
    return [bytes.fromhex(text) for text in json.loads(done.stdout.partition("ANSWER")[2])]
