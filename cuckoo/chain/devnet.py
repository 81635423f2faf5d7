"""A local chain: anvil with the contracts deployed, gone when its process goes."""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from web3 import AsyncWeb3

from cuckoo.chain.deployment import deploy, open_undeployed, write_network
from cuckoo.chain.deployplan import EMISSION, RESERVE, Order
from cuckoo.chain.endpoints import http_provider
from cuckoo.chain.transactions import Sender
from cuckoo.domain.errors import ConfigError, FatalError
from cuckoo.domain.network import DEVNET_CHAIN_ID, Network

log = structlog.get_logger(__name__)

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
# The first development account of anvil, known to everybody: it deploys, governs, and is the faucet's admin.
DEPLOYER_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
FAUCET_NATIVE = 1_000 * 10**18
_PR_SET_PDEATHSIG = 1


def find_anvil() -> Path:
    """Find the anvil binary: ``CUCKOO_ANVIL``, beside this Python, or on the PATH.

    Raises:
        ConfigError: it is nowhere; names the command that installs it.
    """
    named = os.environ.get("CUCKOO_ANVIL")
    candidates = [named] if named else [str(Path(sys.executable).parent / "anvil"), shutil.which("anvil")]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise ConfigError(
        f"start a local chain: anvil was not found ({named or 'beside Python, on the PATH'}): run make install, "
        "or npm install @foundry-rs/anvil and name the binary in CUCKOO_ANVIL",
    )


def _die_with_parent() -> Callable[[], None] | None:
    """Have the kernel end the child when this process dies, however it dies (Linux)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigError(
                f"start a local chain: port {port} is taken; stop what uses it or name another one with --port",
            ) from None


class Devnet:
    """A running local chain."""

    def __init__(self, process: asyncio.subprocess.Process, network: Network) -> None:
        """Use :func:`running_devnet`."""
        self._process = process
        self.network = network

    async def wait(self) -> None:
        """Return never; raise FatalError when anvil ends by itself."""
        code = await self._process.wait()
        raise FatalError(f"run the local chain: anvil ended with exit code {code}")


@asynccontextmanager
async def running_devnet(port: int, network_file: Path) -> AsyncIterator[Devnet]:
    """Run anvil on loopback, deploy the contracts, write the network file; stop anvil at the end.

    Args:
        port: of the RPC endpoint; 0 picks a free one.
        network_file: where to write the network file.

    Raises:
        ConfigError: anvil is not installed, or the port is taken.
        FatalError: anvil does not start.
    """
    if port == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    _check_free(port)
    # start_new_session: a Ctrl-C in the terminal reaches us only, and we stop the chain last.
    process = await asyncio.create_subprocess_exec(
        find_anvil(),
        *("--host", "127.0.0.1", "--port", str(port), "--chain-id", str(DEVNET_CHAIN_ID)),
        *("--mixed-mining", "--block-time", "1", "--slots-in-an-epoch", "1", "--silent"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_die_with_parent(),
    )
    try:
        url = f"http://127.0.0.1:{port}"
        await _wait_until_up(process, url)
        async with await open_undeployed("devnet", [url]) as client:
            sender = Sender(client, DEPLOYER_KEY)
            order = Order(
                governor=sender.address,
                guardian=sender.address,
                treasury=sender.address,
                reserve=RESERVE,
                emission=EMISSION,
                faucet_native=FAUCET_NATIVE,
                rules=client.network.rules,
            )
            network = (await deploy(client, sender, order)).network
        write_network(network, network_file)
        log.info("local chain ready", rpc=url, network_file=str(network_file), staking=network.staking)
        yield Devnet(process, network)
    finally:
        await _stop(process)


async def _wait_until_up(process: asyncio.subprocess.Process, url: str) -> None:
    web3 = AsyncWeb3(http_provider(url))
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await web3.is_connected():
                if process.returncode is not None:
                    stderr = await process.stderr.read() if process.stderr else b""
                    raise FatalError(
                        f"start a local chain: anvil ended at once: {stderr.decode(errors='replace')[-300:]}"
                    )
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise FatalError(f"start a local chain: anvil does not answer at {url} after {START_TIMEOUT_S:.0f} s") from None
    finally:
        await web3.provider.disconnect()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
