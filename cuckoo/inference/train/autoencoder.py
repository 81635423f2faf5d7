"""First stage: the autoencoder between 64 px pictures and 16 x 16 x 4 latents."""

import random
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.progress import Progress
from torch.nn import functional

from cuckoo.inference.train.budget import Budget
from cuckoo.inference.train.checkpoint import Checkpoint
from cuckoo.inference.train.networks import Networks

BATCH = 8
STEPS = 4_000
_RATE, _LOWEST_RATE = 1.2e-3, 2e-5
_GRADIENT_WEIGHT, _KL_WEIGHT = 0.5, 5e-4


def as_tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """Stack RGB pictures into float32 (pictures, 3, height, width) of -1 .. 1."""
    pixels = np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures])
    return torch.from_numpy(pixels / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def train(
    networks: Networks, pictures: torch.Tensor, budget: Budget, checkpoint: Checkpoint, progress: Progress, seed: int
) -> float:
    """Train the autoencoder, then scale its latents to mean 0 and deviation 1 per channel.

    Args:
        networks: whose ``vae`` is trained in place.
        pictures: (n, 3, 64, 64) on the device to train on.
        budget: when to stop.
        checkpoint: where to continue from and to save to.
        progress: shows the loss.
        seed: of the choice of pictures.

    Returns:
        PSNR in dB over (at most 256 of) the pictures, without sampling.
    """
    vae, device = networks.vae, pictures.device.type
    optimizer = torch.optim.AdamW(vae.parameters(), lr=_RATE, weight_decay=1e-4)
    parts = {"vae": vae, "optimizer": optimizer}
    with checkpoint.kept("autoencoder", parts, budget):
        rng = random.Random(seed + budget.done_steps)
        for _ in budget.sitting(progress, "autoencoder"):
            for group in optimizer.param_groups:
                group["lr"] = budget.rate(_RATE, _LOWEST_RATE)
            batch = pictures[torch.tensor(rng.choices(range(len(pictures)), k=BATCH), device=pictures.device)]
            if rng.getrandbits(1):
                batch = batch.flip(-1)
            with torch.autocast(device, torch.bfloat16):
                posterior = vae.encode(batch).latent_dist
                drawn = vae.decode(posterior.sample()).sample
            loss = _loss(drawn.float(), batch, posterior.mean.float(), posterior.logvar.float())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            optimizer.step()
            budget.note(progress, f"loss {loss.item():.3f}")
            checkpoint.save_now_and_then("autoencoder", parts, budget)
    with torch.no_grad():
        _normalise(vae, pictures)
        return _psnr(vae, pictures[:256])


def _loss(drawn: torch.Tensor, real: torch.Tensor, mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    edges = sum(functional.l1_loss(torch.diff(drawn, dim=axis), torch.diff(real, dim=axis)) for axis in (-1, -2))
    divergence = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return (
        functional.l1_loss(drawn, real)
        + functional.mse_loss(drawn, real)
        + _GRADIENT_WEIGHT * edges
        + _KL_WEIGHT * divergence
    )


def encode(vae: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Return the latents of pictures, without sampling: (n, 4, 16, 16)."""
    with torch.no_grad():
        return torch.cat([vae.encode(part).latent_dist.mean for part in pictures.split(64)])


def _normalise(vae: Any, pictures: torch.Tensor) -> None:
    """Fold mean and deviation of each latent channel into the 1 x 1 convolutions around the latents.

    The pipeline knows one scaling factor only; so it stays 1, and the UNet sees unit variance in every channel.
    """
    latents = encode(vae, pictures)
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    channels = len(mean)
    before, after = vae.quant_conv, vae.post_quant_conv
    before.weight[:channels] /= deviation[:, None, None, None]
    before.bias[:channels] = (before.bias[:channels] - mean) / deviation
    before.bias[channels:] -= 2 * deviation.log()
    after.bias += after.weight[:, :, 0, 0] @ mean
    after.weight *= deviation[None, :, None, None]


def _psnr(vae: Any, pictures: torch.Tensor) -> float:
    drawn = torch.cat([vae.decode(part).sample for part in encode(vae, pictures).split(64)]).clamp(-1, 1)
    return float(10 * torch.log10(4 / functional.mse_loss(drawn, pictures)))
