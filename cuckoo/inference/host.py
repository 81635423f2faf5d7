"""What a device is: its name, driver and memory, and what it draws with. Asked by the parent, answered by a child."""

import asyncio
import os
import platform
import re
import resource
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from cuckoo.domain.errors import ConfigError

_DRIVER_FILE = Path("/proc/driver/nvidia/version")
_DRIVER = re.compile(r"Kernel Module\D*([\d.]+)")
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)
_PROCESSOR = re.compile(r"^model name\s*: (.*)$", re.MULTILINE)
_FREE = re.compile(r"^MemAvailable:\s*(\d+) kB$", re.MULTILINE)


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One device.

    Attributes:
        device: what the pool calls it.
        name: what its maker calls it.
        driver: its version, "" where it has none.
        memory_bytes, free_bytes: of the device; of the machine, for a CPU. 0 where nobody says.
        torch, diffusers: their versions.
        hint: what keeps this machine from using more than this device, "" for nothing.
    """

    device: str
    name: str
    driver: str = ""
    memory_bytes: int = 0
    free_bytes: int = 0
    torch: str = ""
    diffusers: str = ""
    hint: str = ""


def version_of(package: str) -> str:
    """Return the installed version of a package, without importing it; "" where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


async def describe(device: str, command: Sequence[str]) -> Host:
    """Ask a child of ``command`` what a device is.

    Raises:
        ConfigError: there is no such device, or torch is not installed.
    """
    process = await asyncio.create_subprocess_exec(
        *command, "--describe", device, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    try:
        return msgspec.json.decode(out, type=Host)
    except msgspec.DecodeError:
        said = err.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise ConfigError(f"ask for device {device}: {said[-1]}") from None


# In the child.


def described(device: str) -> bytes:
    """Return what :func:`describe` asks for, as JSON; raises what torch raises for a device that is not there."""
    import torch

    driver = _found(_DRIVER, _DRIVER_FILE)
    name, memory, free, hint = device, 0, 0, ""
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
        free, memory = torch.cuda.mem_get_info(device)
    elif device == "mps":
        driver, memory = "", torch.mps.recommended_max_memory()
        free = memory - torch.mps.driver_allocated_memory()
    else:
        name = f"{_found(_PROCESSOR, Path('/proc/cpuinfo')) or platform.machine()}, "
        name += torch.backends.cpu.get_cpu_capability()
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        free = 1024 * int(_found(_FREE, Path("/proc/meminfo")) or 0)
        if driver and not torch.cuda.is_available():
            hint = f"NVIDIA's driver {driver} is here, and torch {torch.__version__} does not use it: "
            hint += "install the build of torch for your CUDA version (pytorch.org)"
        driver = ""
    return msgspec.json.encode(
        Host(
            device=device,
            name=name,
            driver=driver,
            memory_bytes=memory,
            free_bytes=free,
            torch=str(torch.__version__),
            diffusers=version_of("diffusers"),
            hint=hint,
        )
    )


def peak_bytes(device: str) -> int:
    """Return the most memory that this process has taken so far: of a GPU, what torch reserved there, else its own."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_reserved(device))
    # What getrusage tells counts from before the process became this program.
    own = 1024 * int(_found(_PEAK, Path("/proc/self/status")) or 0)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own or (most if sys.platform == "darwin" else 1024 * most)


def _found(pattern: re.Pattern[str], file: Path) -> str:
    """Return what a pattern finds in one of the kernel's files; "" where there is no such file or line."""
    try:
        found = pattern.search(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return found[1] if found else ""
