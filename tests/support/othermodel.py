"""A model that is not the one that was asked for: the bundled one, each weight of its denoiser a little off."""

import shutil

import torch
from msgspec.structs import replace
from safetensors.torch import load_file, save_file

from cuckoo.inference import models

OFF = 0.02


def other_model(folder):
    """Write it into a folder; returns its entry for the registry."""
    bundled = next(iter(models.load_registry().values()))
    copy = folder / "other"
    shutil.copytree(bundled.source, copy)
    for weights in (copy / "unet").glob("*.safetensors"):
        noise = torch.Generator().manual_seed(1)
        changed = {
            name: (value.float() * (1 + OFF * torch.randn(value.shape, generator=noise))).to(value.dtype)
            for name, value in load_file(weights).items()
        }
        save_file(changed, weights, metadata={"format": "pt"})
    return replace(bundled, name="other", source=str(copy), digest=models.digest(copy))
