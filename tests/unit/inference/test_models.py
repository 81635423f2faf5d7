import hashlib
import json
import shutil
from pathlib import Path

import pytest

from cuckoo.domain.errors import ConfigError
from cuckoo.inference import models

WEIGHTS = b"not really weights"


def folder(tmp_path: Path, **index: object) -> Path:
    root = tmp_path / "model"
    (root / "unet").mkdir(parents=True)
    (root / "tokenizer").mkdir()
    (root / "unet" / "config.json").write_text("{}")
    (root / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(WEIGHTS)
    (root / "tokenizer" / "merges.txt").write_text("a b")
    content = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "safety_checker": [None, None],
        **index,
    }
    (root / "model_index.json").write_text(json.dumps(content))
    return root


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in models.loaded_files(root)]


def test_digest__bundled_model__is_what_the_registry_says():
    for model in models.load_registry().values():
        assert models.digest(Path(model.source)) == model.digest


def test_digest__small_folder__is_sha256_over_sorted_lines(tmp_path):
    root = folder(tmp_path)
    lines = [
        f"{name} {hashlib.sha256((root / name).read_bytes()).hexdigest()}\n"
        for name in (
            "model_index.json",
            "tokenizer/merges.txt",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
        )
    ]
    assert models.digest(root) == hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(
    "name", ["model_index.json", "tokenizer/merges.txt", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
)
def test_digest__any_loaded_file_changed__changes(tmp_path, name):
    root = folder(tmp_path)
    before = models.digest(root)
    path = root / name
    path.write_bytes(path.read_bytes() + b" ")
    assert models.digest(root) != before


def test_loaded_files__variants_and_strangers_beside__are_left_out(tmp_path):
    root = folder(tmp_path)
    before = names(root)
    (root / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"x")
    (root / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    (root / "README.md").write_text("x")
    (root / "other").mkdir()
    assert names(root) == before


def test_loaded_files__sharded_weights__are_all_named(tmp_path):
    root = folder(tmp_path)
    unet = root / "unet"
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    shards = [f"diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    for shard in shards:
        (unet / shard).write_bytes(b"x")
    index = {"weight_map": {"a": shards[0], "b": shards[1], "c": shards[0]}}
    (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    assert [f"unet/{shard}" for shard in shards] == [
        name for name in names(root) if name.endswith("of-00002.safetensors")
    ]


def test_loaded_files__weights_as_pickle__are_refused(tmp_path):
    root = folder(tmp_path)
    (root / "unet" / "diffusion_pytorch_model.safetensors").rename(root / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"unet/diffusion_pytorch_model\.bin is a pickle"):
        models.loaded_files(root)


def test_loaded_files__component_of_own_code__is_refused(tmp_path):
    with pytest.raises(ConfigError, match="component unet comes from 'my_code'"):
        models.loaded_files(folder(tmp_path, unet=["my_code", "Net"]))


def test_loaded_files__pipeline_of_own_code__is_refused(tmp_path):
    with pytest.raises(ConfigError, match="never run"):
        models.loaded_files(folder(tmp_path, _class_name=["pipeline", "Mine"]))


def test_loaded_files__no_diffusers_folder__says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"model_index\.json"):
        models.loaded_files(tmp_path)


def test_loaded_files__component_missing__is_named(tmp_path):
    root = folder(tmp_path)
    shutil.rmtree(root / "unet")
    with pytest.raises(ConfigError, match="component unet is missing"):
        models.loaded_files(root)


def test_digest_cache__unchanged_file__is_not_read_again(tmp_path, monkeypatch):
    root = folder(tmp_path)
    expected = models.digest(root, models.DigestCache(tmp_path / "sums.json"))
    monkeypatch.setattr(models, "_sha256", lambda path: pytest.fail(f"read {path} again"))
    assert models.digest(root, models.DigestCache(tmp_path / "sums.json")) == expected


def test_digest_cache__changed_file__is_read_again(tmp_path):
    root = folder(tmp_path)
    cache = models.DigestCache(tmp_path / "sums.json")
    before = models.digest(root, cache)
    (root / "unet" / "config.json").write_text('{"other": 1}')
    assert models.digest(root, cache) != before


def test_digest_cache__unreadable_file__counts_as_empty(tmp_path):
    (tmp_path / "sums.json").write_text("{")
    models.digest(folder(tmp_path), models.DigestCache(tmp_path / "sums.json"))


ENTRY = """
[models.m]
source = "{source}"
digest = "{digest}"
title = "t"
defaults = {{width_px = 64, height_px = 64, steps = 4, guidance = 1.0}}
limits = {{max_pixels = 4096, max_steps = 10}}
"""


def test_load_registry__folder_beside_it__becomes_absolute(tmp_path):
    folder(tmp_path)
    path = tmp_path / "models.toml"
    path.write_text(ENTRY.format(source="model", digest="0" * 64))
    assert models.load_registry(path)["m"].source == str(tmp_path / "model")


def test_load_registry__no_such_folder__stays_a_hub_id(tmp_path):
    path = tmp_path / "models.toml"
    path.write_text(ENTRY.format(source="org/name", digest="0" * 64))
    model = models.load_registry(path)["m"]
    assert model.source == "org/name"
    assert models.by_digest({"m": model}) == {"0" * 64: model}


@pytest.mark.parametrize(
    "text", ["", "[models]", "models = 3", "[models.m]\nsource = 1", "[models.m", "[models.m]\nx = 1"]
)
def test_load_registry__unreadable__is_a_config_error_naming_the_file(tmp_path, text):
    path = tmp_path / "models.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"models\.toml"):
        models.load_registry(path)


def test_load_registry__digest_malformed__is_a_config_error(tmp_path):
    path = tmp_path / "models.toml"
    path.write_text(ENTRY.format(source="org/name", digest="abc"))
    with pytest.raises(ConfigError, match="64 lower-case hex digits"):
        models.load_registry(path)


def test_bundled_directory__checkout__holds_the_registry_and_licences():
    bundled = models.bundled_directory()
    assert (bundled / "models.toml").is_file()
    for name in ("NOTICE", "README.md", "LICENSE"):
        assert (bundled / "models" / "emoji-64" / name).is_file()


def test_bundled_model__size__is_at_most_25_mb():
    files = [path for path in (models.bundled_directory() / "models" / "emoji-64").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25_000_000
