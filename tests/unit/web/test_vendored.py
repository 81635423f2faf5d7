"""What pages bring of others is what its README says, with licences, and is all served."""

import hashlib
import re
from importlib import resources

from aiohttp import web

from cuckoo.web.serving_pages import mount_pages

VENDOR = resources.files("cuckoo.web") / "pages" / "vendor"
SUMS = dict(
    re.findall(r"^\| `(\S+/\S+)` \| `([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text("utf-8"), re.MULTILINE)
)


def files():
    return {
        f"{folder.name}/{file.name}": file
        for folder in VENDOR.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
    }


def test_vendored__files__are_those_that_the_readme_names():
    assert {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files().items()} == SUMS


def test_vendored__each_library__has_its_licence():
    for folder in (one for one in VENDOR.iterdir() if one.is_dir()):
        assert "Permission is hereby granted" in (folder / "LICENSE").read_text("utf-8")


def test_pages__folders_below__are_served():
    app = web.Application()
    mount_pages(app)
    paths = {resource.canonical for resource in app.router.resources()}
    assert {f"/pages/vendor/{name}" for name in SUMS} <= paths
    assert {"/", "/pages/app.js"} <= paths
    assert not any(path.endswith(".md") for path in paths)
