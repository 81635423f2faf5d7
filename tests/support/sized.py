"""Diffusion models with random weights, of the size of well-known ones or tiny: speed does not depend on the values."""

from pathlib import Path

import msgspec

from cuckoo.inference import models

_CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
_CLIP_TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
_XL_BLOCKS = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
_XL = {
    "down_block_types": _XL_BLOCKS,
    "up_block_types": tuple(name.replace("Down", "Up") for name in reversed(_XL_BLOCKS)),
    "addition_embed_type": "text_time",
    "use_linear_projection": True,
}


class Size(msgspec.Struct, frozen=True):
    """How large the parts are.

    Attributes:
        unet: arguments of diffusers' ``UNet2DConditionModel``.
        vae_channels, vae_scaling, upcast: of the autoencoder; whether float16 is too narrow for it.
        text, text_2: arguments of the text encoders; the second one in SDXL only.
        side_px: of its pictures.
    """

    unet: dict
    vae_channels: tuple[int, ...]
    vae_scaling: float
    upcast: bool
    text: dict
    text_2: dict | None
    side_px: int


SIZES = {
    "sd-1.5": Size(
        unet={"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "sample_size": 64},
        vae_channels=(128, 256, 512, 512),
        vae_scaling=0.18215,
        upcast=False,
        text=_CLIP_L,
        text_2=None,
        side_px=512,
    ),
    "sdxl": Size(
        unet=_XL
        | {
            "block_out_channels": (320, 640, 1280),
            "transformer_layers_per_block": (1, 2, 10),
            "attention_head_dim": (5, 10, 20),
            "cross_attention_dim": 2048,
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
            "sample_size": 128,
        },
        vae_channels=(128, 256, 512, 512),
        vae_scaling=0.13025,
        upcast=True,
        text=_CLIP_L,
        text_2=_CLIP_G,
        side_px=1024,
    ),
    "tiny-sdxl": Size(
        unet=_XL
        | {
            "block_out_channels": (32, 32, 64),
            "layers_per_block": 1,
            "transformer_layers_per_block": (1, 1, 2),
            "attention_head_dim": (2, 2, 4),
            "cross_attention_dim": 64,
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 32 + 6 * 8,
            "sample_size": 8,
        },
        vae_channels=(32, 32, 64, 64),
        vae_scaling=0.13025,
        upcast=True,
        text=_CLIP_TINY,
        text_2=_CLIP_TINY,
        side_px=64,
    ),
    "tiny-sd": Size(
        unet={
            "block_out_channels": (32, 32, 64, 64),
            "layers_per_block": 1,
            "cross_attention_dim": 32,
            "sample_size": 8,
        },
        vae_channels=(32, 32, 64, 64),
        vae_scaling=0.18215,
        upcast=False,
        text=_CLIP_TINY,
        text_2=None,
        side_px=64,
    ),
}


def build(name, folder: Path, *, device="cpu", steps=20, guidance=5.0):
    """Make a model, save it in float16, and write a registry with it alone.

    Args:
        name: one of SIZES.
        folder: where; made if it is not there.
        device: where the weights are drawn: large ones take minutes on a CPU.
        steps, guidance: the model's defaults.

    Returns:
        Its entry in the registry ``folder / "models.toml"``.
    """
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        StableDiffusionXLPipeline,
        UNet2DConditionModel,
    )
    from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    size = SIZES[name]
    bundled = models.bundled_directory() / "models" / "emoji-64" / "tokenizer"
    tokenizer = AutoTokenizer.from_pretrained(bundled, model_max_length=77)
    torch.manual_seed(0)

    def text(kind, width):
        ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        return kind(CLIPTextConfig(vocab_size=49408, projection_dim=width["hidden_size"], **ends, **width))

    with torch.device(device):
        parts = {
            "unet": UNet2DConditionModel(in_channels=4, out_channels=4, **size.unet),
            "vae": AutoencoderKL(
                block_out_channels=size.vae_channels,
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=4,
                scaling_factor=size.vae_scaling,
                force_upcast=size.upcast,
                sample_size=size.side_px,
            ),
            "text_encoder": text(CLIPTextModel, size.text),
        }
        if size.text_2:
            parts["text_encoder_2"] = text(CLIPTextModelWithProjection, size.text_2)
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    parts = {part: network.half().cpu() for part, network in parts.items()} | {"scheduler": scheduler}
    if size.text_2:
        pipe = StableDiffusionXLPipeline(tokenizer=tokenizer, tokenizer_2=tokenizer, **parts)
    else:
        pipe = StableDiffusionPipeline(
            tokenizer=tokenizer, safety_checker=None, feature_extractor=None, requires_safety_checker=False, **parts
        )
    home = folder / name
    pipe.save_pretrained(home)
    (folder / "models.toml").write_text(
        f"""[models."{name}"]
source = "{name}"
digest = "{models.digest(home)}"
title = "Random weights"

[models."{name}".defaults]
width_px = {size.side_px}
height_px = {size.side_px}
steps = {steps}
guidance = {guidance}

[models."{name}".limits]
max_pixels = {size.side_px**2}
max_steps = 150
"""
    )
    return models.load_registry(folder / "models.toml")[name]
