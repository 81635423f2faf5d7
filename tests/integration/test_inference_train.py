"""The training, end to end with a tiny budget and a dozen drawn pictures in place of the npm packages."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageDraw

from cuckoo.inference import models
from cuckoo.inference.train import autoencoder, emoji, networks
from cuckoo.inference.train.__main__ import main

NAMES = ["red apple", "banana", "lemon", "blue heart", "star", "frog", "panda", "pear", "rose", "fire", "sun", "cloud"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    google, unicode_, lib = (folder / f"{name}-{version}" for name, (version, _) in emoji.PACKAGES.items())
    (google / "img/google/64").mkdir(parents=True)
    unicode_.mkdir()
    (lib / "dist").mkdir(parents=True)
    rows, signs = [], {}
    for number, name in enumerate(NAMES):
        picture = Image.new("RGBA", (64, 64))
        ImageDraw.Draw(picture).ellipse((8, 8, 56, 56), fill=f"hsl({number * 30}, 90%, 50%)")
        picture.save(google / f"img/google/64/{number}.png")
        signs[chr(0x1F400 + number)] = name
        rows.append(
            {
                "unified": f"{0x1F400 + number:X}",
                "category": "Food & Drink",
                "subcategory": "food-fruit",
                "has_img_google": True,
                "image": f"{number}.png",
                "short_names": [name.replace(" ", "_")],
            }
        )
    (google / "emoji.json").write_text(json.dumps(rows))
    (unicode_ / "data-by-emoji.json").write_text(json.dumps({sign: {"name": name} for sign, name in signs.items()}))
    (lib / "dist/emoji-en-US.json").write_text(json.dumps({sign: [name] for sign, name in signs.items()}))
    return folder


def train(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_train__from_nothing_and_on_top_of_it__writes_models_that_draw(tmp_path, data):
    first, second = tmp_path / "first", tmp_path / "second"
    train("--out", first, "--samples", 128, "--data", data)
    train("--out", second, "--samples", 64, "--data", data, "--from", first)
    assert len(models.digest(first)) == 64
    assert models.digest(first) != models.digest(second)
    assert [one["samples"] for one in json.loads((second / "training.json").read_text())] == [128, 64]
    assert not (second / ".checkpoint").exists()
    for path in first.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)
    same = [(folder / "vae/diffusion_pytorch_model.safetensors").read_bytes() for folder in (first, second)]
    assert same[0] == same[1]
    loaded = networks.load(second)
    assert networks.embed(loaded, ["red apple", ""], "cpu").shape == (2, 16, 192)


def test_train__interrupted__goes_on_where_it_was(tmp_path, data, monkeypatch):
    out = tmp_path / "out"
    step, seen = autoencoder._loss, []

    def interrupted_at_third(*arguments):
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(autoencoder, "_loss", interrupted_at_third)
    arguments = ["--out", str(out), "--samples", "256", "--data", str(data)]
    assert CliRunner().invoke(main, arguments).exit_code == 1
    assert (out / ".checkpoint" / "autoencoder.pt").is_file()
    train(*arguments)
    assert len(seen) == 5  # two before, the one that was cut off, and two after it
    assert json.loads((out / "training.json").read_text())[0]["autoencoder_steps"] == 4


def test_normalise__latents__have_unit_variance_and_decode_to_the_same():
    torch.manual_seed(0)
    vae = networks.fresh(NAMES).vae
    pictures = torch.rand(8, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.decode(autoencoder.encode(vae, pictures)).sample
        autoencoder._normalise(vae, pictures)
        latents = autoencoder.encode(vae, pictures)
        after = vae.decode(latents).sample
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(4), atol=1e-3)
    assert torch.allclose(before, after, atol=1e-4)
