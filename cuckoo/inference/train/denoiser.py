"""Second stage: UNet and text encoder together, on latents that were computed once."""

import copy
import random
from dataclasses import dataclass

import torch
from rich.progress import Progress
from torch.nn import functional

from cuckoo.inference.train.budget import Budget
from cuckoo.inference.train.checkpoint import Checkpoint
from cuckoo.inference.train.networks import Networks, embed
from cuckoo.inference.train.variants import Variant, caption

BATCH = 64
RATE = 1e-3
_LOWEST_RATE = 3e-5
_AVERAGE = 0.998
_LOSS_MEMORY = 0.98


@dataclass(frozen=True)
class Lessons:
    """What is learnt.

    Attributes:
        variants: pictures with what they may be called.
        latents: of each of them, (n, 4, 16, 16) on the device to train on.
    """

    variants: list[Variant]
    latents: torch.Tensor


def train(
    networks: Networks, lessons: Lessons, budget: Budget, checkpoint: Checkpoint, progress: Progress, seed: int
) -> float:
    """Train with plain v-prediction; the networks end with the running average of their weights.

    Weights by signal-to-noise ratio are zero at zero terminal SNR, so every time counts alike; times are stratified
    over the batch.

    Args:
        networks: whose ``unet`` and ``text_encoder`` are trained in place.
        lessons: what is learnt.
        budget: when to stop; a step is a batch.
        checkpoint: where to continue from and to save to.
        progress: shows the loss.
        seed: of the choice of pictures, captions, times and noise.

    Returns:
        The loss, averaged over the last hundred steps or so.
    """
    latents, device = lessons.latents, lessons.latents.device.type
    pair = torch.nn.ModuleDict({"unet": networks.unet, "text": networks.text_encoder})
    average = copy.deepcopy(pair).requires_grad_(requires_grad=False)
    optimizer = torch.optim.AdamW(pair.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=1e-2)
    parts = {"pair": pair, "average": average, "optimizer": optimizer}
    weights = [variant.weight for variant in lessons.variants]
    mean_loss = 0.0
    with checkpoint.kept("denoiser", parts, budget):
        rng = random.Random(seed + budget.done_steps)
        torch.manual_seed(seed + budget.done_steps)
        for step in budget.sitting(progress, "unet and text"):
            for group in optimizer.param_groups:
                group["lr"] = budget.rate(RATE, _LOWEST_RATE)
            chosen = rng.choices(range(len(weights)), weights, k=BATCH)
            words = [caption(lessons.variants[index], rng) for index in chosen]
            loss = _loss(networks, latents[torch.tensor(chosen, device=latents.device)], words, device)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(pair.parameters(), 1.0)
            optimizer.step()
            _follow(average, pair, min(_AVERAGE, (step + 1) / (step + 10)))
            mean_loss = _LOSS_MEMORY * (mean_loss or loss.item()) + (1 - _LOSS_MEMORY) * loss.item()
            budget.note(progress, f"loss {mean_loss:.3f}")
            checkpoint.save_now_and_then("denoiser", parts, budget)
    pair.load_state_dict(average.state_dict())
    return mean_loss


def _loss(networks: Networks, latents: torch.Tensor, words: list[str], device: str) -> torch.Tensor:
    """Mean square error of the predicted velocity."""
    scheduler = networks.scheduler
    count = scheduler.config.num_train_timesteps
    strata = (torch.randperm(len(latents)) + torch.rand(len(latents))) / len(latents)
    times = (strata * count).long().clamp(max=count - 1).to(latents.device)
    noise = torch.randn_like(latents)
    noisy = scheduler.add_noise(latents, noise, times)
    wanted = scheduler.get_velocity(latents, noise, times)
    with torch.autocast(device, torch.bfloat16):
        guessed = networks.unet(noisy, times, encoder_hidden_states=embed(networks, words, device)).sample
    return functional.mse_loss(guessed.float(), wanted)


def _follow(average: torch.nn.Module, trained: torch.nn.Module, memory: float) -> None:
    """Move the running average of the weights towards those of this step."""
    with torch.no_grad():
        for kept, new in zip(average.parameters(), trained.parameters(), strict=True):
            kept.lerp_(new, 1 - memory)
