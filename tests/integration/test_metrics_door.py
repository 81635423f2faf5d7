"""The miner's door for Prometheus: it answers where it was told to, and a wrong address is said at the start."""

import aiohttp
import pytest

from cuckoo.domain.errors import ConfigError
from cuckoo.web.metrics import serving_metrics
from tests.support.processes import free_port


async def test_metrics__address_named__are_served_there():
    address = f"127.0.0.1:{free_port()}"
    async with (
        serving_metrics(address, lambda: b"cuckoo_miner_weight_cai 1.0\n"),
        aiohttp.ClientSession() as raw,
        raw.get(f"http://{address}/metrics") as response,
    ):
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert await response.text() == "cuckoo_miner_weight_cai 1.0\n"


async def test_metrics__none_named__nothing_is_served():
    async with serving_metrics("", lambda: b""):
        pass


@pytest.mark.parametrize("address", ["9464", ":9464", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"])
async def test_metrics__wrong_address__is_refused_with_an_example(address):
    with pytest.raises(ConfigError, match="HOST:PORT"):
        async with serving_metrics(address, lambda: b""):
            pass
