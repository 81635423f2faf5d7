"""The four parts of the model, small, in the standard layout of a ``StableDiffusionPipeline`` folder."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from cuckoo.inference.train.emoji import SIDE_PX

TOKENS = 16
_VOCABULARY = 4_000
"""Pieces, besides the bytes at the end of a word."""
_TEXT_WIDTH = 192
_START, _END = "<|startoftext|>", "<|endoftext|>"
_SPLIT = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_EMBEDDING_DEVIATION = 0.3
"""CLIP's own 0.02 is too small for a text encoder that starts from nothing."""


@dataclass
class Networks:
    """The parts of a model under training."""

    vae: Any
    unet: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any

    def to(self, device: str) -> "Networks":
        """Move the weights to a device."""
        for part in (self.vae, self.unet, self.text_encoder):
            part.to(device)
        return self


def fresh(captions: Iterable[str]) -> Networks:
    """Build untrained networks, with a vocabulary made from captions."""
    tokenizer = _tokenizer(captions)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=_TEXT_WIDTH,
            intermediate_size=512,
            projection_dim=_TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    torch.nn.init.normal_(text_encoder.get_input_embeddings().weight, std=_EMBEDDING_DEVIATION)
    vae = AutoencoderKL(
        sample_size=SIDE_PX,
        block_out_channels=(16, 48, 96),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        scaling_factor=1.0,
    )
    unet = UNet2DConditionModel(
        sample_size=SIDE_PX // 4,
        block_out_channels=(64, 128, 160),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=_TEXT_WIDTH,
        attention_head_dim=4,  # it is the number of heads; 32 of them made a step 1.7 times slower
        norm_num_groups=16,
    )
    return Networks(vae, unet, text_encoder, tokenizer, _scheduler())


def load(folder: Path) -> Networks:
    """Read a trained model in float32."""
    pipe = StableDiffusionPipeline.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
    )
    return Networks(pipe.vae, pipe.unet, pipe.text_encoder, pipe.tokenizer, pipe.scheduler)


def save(networks: Networks, folder: Path) -> None:
    """Write the model in float16, readable for everybody; the networks are converted and not to be used afterwards."""
    for part in (networks.vae, networks.text_encoder, networks.unet):
        part.to("cpu").half()
    pipe = StableDiffusionPipeline(
        vae=networks.vae,
        text_encoder=networks.text_encoder,
        tokenizer=networks.tokenizer,
        unet=networks.unet,
        scheduler=networks.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder, safe_serialization=True)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def embed(networks: Networks, captions: list[str], device: str) -> torch.Tensor:
    """Return what the UNet attends to: the text encoder's last hidden state, (captions, 16, 192)."""
    tokens = networks.tokenizer(
        captions, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids
    return networks.text_encoder(tokens.to(device))[0]


def _scheduler() -> Any:
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
    )


def _tokenizer(captions: Iterable[str]) -> Any:
    """Train a byte-pair vocabulary in CLIP's own format."""
    draft = Tokenizer(models.BPE(unk_token=_END, end_of_word_suffix="</w>"))
    draft.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    draft.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    draft.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=_VOCABULARY, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
        ),
    )
    trained = json.loads(draft.to_str())["model"]
    pieces = alphabet + [f"{letter}</w>" for letter in alphabet]
    pieces += [piece for piece in trained["vocab"] if piece not in set(pieces)]
    vocabulary = {piece: number for number, piece in enumerate([*pieces, _START, _END])}
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=[tuple(pair) for pair in trained["merges"]],
        bos_token=_START,
        eos_token=_END,
        pad_token=_END,
        unk_token=_END,
        model_max_length=TOKENS,
    )
