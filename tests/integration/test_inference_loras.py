"""LoRAs in the real child with the bundled model, against plain diffusers in another process."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass

import msgspec
import pytest

from cuckoo.domain.errors import FatalError
from cuckoo.domain.lora import Lora, encode_loras, loras_hash
from cuckoo.domain.task import TaskParameters
from cuckoo.inference import models
from cuckoo.inference.models import LoraFile
from cuckoo.inference.pool import Job, JobRefused, PoolOptions, WorkerPool

MODEL = models.load_registry()["emoji-64"]
ONE_CPU = PoolOptions(devices=("cpu",), threads=1)

PLAIN = """
import hashlib, json, sys
from pathlib import Path
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict

wanted = json.load(sys.stdin)
torch.set_num_threads(1)


def load():
    pipe = StableDiffusionPipeline.from_pretrained(wanted["model"], dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


folder = Path(wanted["folder"])
for number, name in enumerate(("one", "other")):
    pipe = load()
    pipe.unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    torch.manual_seed(number)
    with torch.no_grad():
        for key, weight in pipe.unet.named_parameters():
            if "lora" in key:
                weight.copy_(torch.randn_like(weight) * 0.1)
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet))
    StableDiffusionPipeline.save_lora_weights(folder / name, layers)
answers = []
for loras in wanted["tasks"]:
    pipe = load()
    for name, _ in loras:
        pipe.load_lora_weights(str(folder / name), weight_name="pytorch_lora_weights.safetensors", adapter_name=name)
    if loras:
        pipe.set_adapters([name for name, _ in loras], [weight for _, weight in loras])
    image = pipe("red apple", height=64, width=64, num_inference_steps=4, guidance_scale=4.0,
                 generator=torch.Generator("cpu").manual_seed(7)).images[0]
    sides = image.height.to_bytes(4, "big") + image.width.to_bytes(4, "big")
    answers.append(hashlib.sha256(sides + image.tobytes()).hexdigest())
print("ANSWER" + json.dumps(answers))
"""

TASKS = [[], [("one", 1.0)], [("one", 0.5), ("other", -1.0)], []]


@dataclass
class Studio:
    """The model with two LoRAs, and what plain diffusers makes of it."""

    model: models.Model
    expected: list[str]


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loras")
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        input=json.dumps({"model": MODEL.source, "folder": str(folder), "tasks": TASKS}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    files = {name: folder / name / "pytorch_lora_weights.safetensors" for name in ("one", "other")}
    loras = {
        name: LoraFile(source=str(file), digest=hashlib.sha256(file.read_bytes()).hexdigest())
        for name, file in files.items()
    }
    return Studio(msgspec.structs.replace(MODEL, loras=loras), json.loads(done.stdout.partition("ANSWER")[2]))


def job(number, payload):
    parameters = TaskParameters(
        salt=bytes(32),
        model_digest=MODEL.digest,
        prompt="red apple",
        width_px=64,
        height_px=64,
        steps=4,
        guidance_thousandths=4000,
        seed=7,
        loras_hash=loras_hash(payload),
    )
    return Job(job_id=str(number), parameters=parameters, inputs=(payload,) if payload else ())


async def test_pool__loras_with_weights__pixels_of_plain_diffusers_and_gone_afterwards(studio):
    def listed(task):
        loras = studio.model.loras
        return encode_loras(
            tuple(Lora(digest=loras[name].digest, weight_thousandths=round(weight * 1_000)) for name, weight in task)
        )

    async with WorkerPool([studio.model], ONE_CPU) as pool:
        await pool.ready.wait()
        made = [await pool.run(job(number, listed(task))) for number, task in enumerate(TASKS)]
        unknown = encode_loras((Lora(digest="ab" * 32, weight_thousandths=1_000),))
        for payload in (unknown, b'[["x",1]]', b"no list"):
            with pytest.raises(JobRefused, match=r"loras|model digest"):
                await pool.run(job("wrong", payload))
        after = await pool.run(job("after", b""))
    assert [done.picture_hashes[0].hex() for done in made] == studio.expected
    assert len(set(studio.expected)) == 3
    assert after.picture_hashes == made[0].picture_hashes


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"digest": "cd" * 32}, "the registry says"), ({"source": "nowhere.safetensors"}, "is no safetensors file")],
)
async def test_pool__lora_that_is_missing_or_another__the_model_is_not_loaded_and_says_why(studio, changes, says):
    wrong = msgspec.structs.replace(studio.model.loras["one"], **changes)
    async with WorkerPool([msgspec.structs.replace(studio.model, loras={"one": wrong})], ONE_CPU) as pool:
        with pytest.raises(FatalError, match=says):
            await pool.watch()
