"""Models from a hub that speaks HTTP here: what is downloaded, resumed after a kill, and refused."""

import asyncio
import contextlib
import hashlib
import json
import sys

import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from cuckoo.domain.errors import ConfigError, TransientError
from cuckoo.inference import hub, models

SOURCE = "nest/emoji"
COMMIT = "c0ffee" + "0" * 34
MODEL = replace(models.load_registry()["emoji-64"], source=SOURCE)
FOLDER = models.bundled_directory() / "models" / "emoji-64"
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


class Hub:
    """The three routes of the hub that matter, and what was asked of them."""

    def __init__(self):
        self.files = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in FOLDER.rglob("*.*")}
        self.said = {}
        self.asked = []
        self.sent = 0
        self.stall_at = None
        self.stalled = asyncio.Event()
        self.ignores_ranges = False

    def app(self):
        app = web.Application()
        app.router.add_get("/api/models/nest/emoji", self.info)
        app.router.add_get("/nest/emoji/resolve/{commit}/{path:.+}", self.file)
        return app

    async def info(self, request):
        assert request.query["blobs"]
        siblings = [
            {"rfilename": name, "size": len(content), **self.lfs(name, content)} for name, content in self.files.items()
        ]
        return web.json_response({"id": SOURCE, "sha": COMMIT, "siblings": siblings})

    def lfs(self, name, content):
        if not name.endswith(".safetensors"):
            return {}
        digest = self.said.get(name, hashlib.sha256(content).hexdigest())
        return {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 134}}

    async def file(self, request):
        assert request.match_info["commit"] == COMMIT
        name = request.match_info["path"]
        asked = request.headers.get("Range", "") if not self.ignores_ranges else ""
        self.asked.append((name, request.headers.get("Range", "")))
        content = self.files[name]
        start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(content) - start
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        await response.prepare(request)
        for at in range(start, len(content), 65_536):
            if self.stall_at == (name, at // 65_536):
                self.stalled.set()
                await asyncio.Event().wait()
            chunk = content[at : at + 65_536]
            with contextlib.suppress(ConnectionError):
                await response.write(chunk)
            self.sent += len(chunk)
        return response


@pytest.fixture
async def server(monkeypatch):
    made = Hub()
    runner = web.AppRunner(made.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield made
    await runner.cleanup()


async def fetch(root, told=lambda _: None, **changes):
    (model,) = await hub.fetch_all([replace(MODEL, **changes)], root, told)
    return model


async def test_fetch__model_of_the_hub__is_what_the_registry_says_and_is_told(server, tmp_path):
    told = []
    model = await fetch(tmp_path, told.append)
    folder = tmp_path / "nest--emoji@c0ffee000000"
    assert model == replace(MODEL, source=str(folder))
    assert models.digest(folder) == MODEL.digest
    assert {name for name, _ in server.asked} == {
        path.relative_to(FOLDER).as_posix() for path in models.loaded_files(FOLDER)
    }
    assert (
        told[-1].done
        == told[-1].total
        == sum(path.stat().st_size for path in models.loaded_files(FOLDER) if path.name != "model_index.json")
    )
    assert {one.model for one in told} == {"emoji-64"}
    assert list(folder.rglob("*.part")) == []


async def test_fetch__again__asks_nobody(server, tmp_path):
    first = await fetch(tmp_path)
    count = len(server.asked)
    assert await fetch(tmp_path) == first
    assert len(server.asked) == count


async def test_fetch__killed_in_the_middle__goes_on_where_it_was(server, tmp_path):
    size = len(server.files[WEIGHTS])
    server.stall_at = (WEIGHTS, size // 65_536 * 3 // 4)
    first = asyncio.create_task(fetch(tmp_path))
    async with asyncio.timeout(60):
        await server.stalled.wait()
        part = tmp_path / "nest--emoji@c0ffee000000" / f"{WEIGHTS}.part"
        while not part.is_file() or part.stat().st_size < size // 2:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    begun = part.stat().st_size
    server.stall_at, server.sent, server.asked = None, 0, []
    told = []
    model = await fetch(tmp_path, told.append)
    assert models.digest(tmp_path / "nest--emoji@c0ffee000000") == model.digest
    assert (WEIGHTS, f"bytes={begun}-") in server.asked
    assert told[0].done >= begun
    assert server.sent < sum(map(len, server.files.values())) - begun + 1


async def test_fetch__hub_that_ignores_ranges__begins_the_file_anew(server, tmp_path):
    server.stall_at = (WEIGHTS, 100)
    first = asyncio.create_task(fetch(tmp_path))
    async with asyncio.timeout(60):
        await server.stalled.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    server.stall_at, server.ignores_ranges = None, True
    await fetch(tmp_path)
    assert models.digest(tmp_path / "nest--emoji@c0ffee000000") == MODEL.digest


async def test_fetch__file_that_is_not_what_the_hub_says__is_thrown_away(server, tmp_path):
    server.said[WEIGHTS] = "00" * 32
    with pytest.raises(TransientError, match="is not what the hub says"):
        await fetch(tmp_path)
    assert not list(tmp_path.rglob("*diffusion_pytorch_model.safetensors*"))[2:]
    del server.said[WEIGHTS]
    await fetch(tmp_path)


async def test_fetch__pickles_only__are_refused_before_they_are_downloaded(server, tmp_path):
    server.files["unet/diffusion_pytorch_model.bin"] = server.files.pop(WEIGHTS)
    with pytest.raises(ConfigError, match=r"unet/diffusion_pytorch_model\.bin, a pickle"):
        await fetch(tmp_path)
    assert server.asked == [("model_index.json", "")]


async def test_fetch__model_with_code_of_its_own__is_refused(server, tmp_path):
    index = json.loads(server.files["model_index.json"])
    server.files["model_index.json"] = json.dumps({**index, "unet": ["nest_code", "Net"]}).encode()
    with pytest.raises(ConfigError, match="never a model's own code"):
        await fetch(tmp_path)


async def test_fetch__unknown_to_the_hub_or_no_hub_id__is_refused(server, tmp_path):
    with pytest.raises(ConfigError, match="nest/nothing"):
        await fetch(tmp_path, source="nest/nothing")
    with pytest.raises(ConfigError, match="no hub id"):
        await fetch(tmp_path, source="/no/such/folder")


async def test_fetch__hub_away__may_be_tried_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(TransientError, match="does not answer"):
        await fetch(tmp_path)


async def test_child__parent_gone__ends(server, tmp_path):
    server.stall_at = (WEIGHTS, 10)
    child = await asyncio.create_subprocess_exec(
        *hub.COMMAND,
        SOURCE,
        MODEL.digest,
        str(tmp_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(60):
        await server.stalled.wait()
        child.stdin.close()
        assert await child.wait() == 1


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("unet/diffusion_pytorch_model.safetensors", True),
        ("unet/diffusion_pytorch_model-00001-of-00002.safetensors", True),
        ("unet/diffusion_pytorch_model.safetensors.index.json", True),
        ("unet/config.json", True),
        ("unet/merges.txt", True),
        ("unet/diffusion_pytorch_model.fp16.safetensors", False),
        ("unet/model.onnx", False),
        ("unet/code.py", False),
        ("unet/../../escape.json", False),
        ("unet/.hidden.json", False),
        ("vae/config.json", False),
        ("config.json", False),
        ("../config.json", False),
    ],
)
def test_wanted__only_what_is_loaded__is_chosen(name, chosen):
    assert hub.wanted([name], ["unet", ".."], SOURCE) == ([name] if chosen else [])


def test_said__by_a_child__is_one_line():
    line = msgspec.json.encode(hub._Said(progress=hub.Fetched(file="a\nb", done=1, total=2)))
    assert b"\n" not in line
    assert sys.executable in hub.COMMAND
