"""A coordinator that speaks TLS by itself: apps, miners and the command line, renewal, and what is refused."""

import asyncio
import datetime as dt
import os
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

import aiohttp
import pytest
import trustme
from aiohttp import connector

from cuckoo.domain.errors import ConfigError, CoordinatorUnreachable
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.protocol.messages import TaskRequest
from cuckoo.roles.coordinator import tls_of
from cuckoo.runtime.clock import SystemClock
from cuckoo.web.tls import Tls
from tests.support.coordinating import ScriptedMiner, app, running

AUTHORITY = trustme.CA()


def issue(folder, **more):
    """Write a certificate for loopback and its key; returns their paths."""
    made = AUTHORITY.issue_cert("127.0.0.1", "localhost", **more)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    key.chmod(0o600)
    return certificate, key


@pytest.fixture
def trusted(monkeypatch, tmp_path):
    """Let this process, and those it starts, trust the authority."""
    roots = tmp_path / "roots.pem"
    AUTHORITY.cert_pem.write_to_path(roots)
    monkeypatch.setattr(connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=roots))
    return {**os.environ, "SSL_CERT_FILE": str(roots)}


async def shown(origin):
    """Return the certificate that a new connection gets."""
    address = urlsplit(origin)
    return await asyncio.to_thread(ssl.get_server_certificate, (address.hostname, address.port))


async def test_tls__app_miner_and_command_line__a_picture_comes_back(tmp_path, trusted):
    tls = Tls(*issue(tmp_path), SystemClock())
    async with running(tmp_path / "data", tls=tls) as coordinator:
        assert coordinator.origin.startswith("https://")
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        async with app(coordinator) as api:
            view = await api.submit(TaskRequest(prompt="a red apple"))
            assert (await miner.serve_one()).task_id == view.task_id
            assert (await api.get(view.task_id)).status == "done"
        command = ["generate", "a pear", "--coordinator", coordinator.origin, "-o", str(tmp_path / "pear.png")]
        asked = asyncio.create_task(
            asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "cuckoo", *command, "--data-dir", str(tmp_path / "app")],
                env=trusted,
                capture_output=True,
                text=True,
                check=False,
            )
        )
        await miner.serve_one()
        done = await asked
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "pear.png").exists()
        await miner.client.close()


async def test_tls__stranger_s_certificate__is_not_trusted(tmp_path):
    tls = Tls(*issue(tmp_path), SystemClock())
    async with running(tmp_path / "data", tls=tls) as coordinator, app(coordinator) as api:
        with pytest.raises(CoordinatorUnreachable):
            await api.models()


async def test_renewal__files_change__new_connections_get_it_and_a_broken_one_is_left(tmp_path, trusted):
    files = issue(tmp_path)
    tls = Tls(*files, SystemClock())
    async with running(tmp_path / "data", tls=tls) as coordinator:
        first = await shown(coordinator.origin)
        assert tls.look() is False
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{coordinator.origin}/healthz") as before:
                assert before.status == 200
            issue(tmp_path)
            assert tls.look() is True
            second = await shown(coordinator.origin)
            assert second != first
            async with session.get(f"{coordinator.origin}/healthz") as after:  # the connection that stands goes on
                assert after.status == 200
        files[0].write_text("half a certificate")
        assert tls.look() is False
        assert await shown(coordinator.origin) == second
        files[0].unlink()
        assert tls.look() is False


def expired(folder):
    return issue(folder, not_after=dt.datetime.now(dt.UTC) - dt.timedelta(days=1))


def others_key(folder):
    (folder / "other").mkdir()
    return issue(folder)[0], issue(folder / "other")[1]


def readable(folder):
    files = issue(folder)
    files[1].chmod(0o644)
    return files


def missing(folder):
    return issue(folder)[0], folder / "none.pem"


def no_pem(folder):
    files = issue(folder)
    files[0].write_bytes(b"no certificate")
    return files


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (expired, "certificate has expired: get a new one"),
        (others_key, "do not belong together"),
        (readable, "chmod 640"),
        (missing, "No such file"),
        (no_pem, "both must be PEM"),
    ],
)
def test_tls__what_can_not_serve__is_told_at_the_start(tmp_path, files, says):
    with pytest.raises(ConfigError, match=says):
        Tls(*files(tmp_path), SystemClock())


def test_settings__one_file_of_two__both_are_named(tmp_path):
    assert tls_of(CoordinatorSettings(), SystemClock()) is None
    with pytest.raises(ConfigError, match="--tls-certificate and --tls-key"):
        tls_of(CoordinatorSettings(tls_key="key.pem"), SystemClock())
    certificate, key = issue(tmp_path)
    settings = CoordinatorSettings(tls_certificate=str(certificate), tls_key=str(key))
    assert tls_of(settings, SystemClock()).until
