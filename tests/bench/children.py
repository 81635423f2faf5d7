"""Child processes that take a line of JSON and answer with one."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINE_MAX = 2**26
_STOP_S = 60.0


class Child:
    """A child that speaks JSON lines."""

    def __init__(self, process):
        self.process = process

    async def read(self):
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a child of the benchmark ended: exit code {await self.process.wait()}")
        return json.loads(line)

    async def ask(self, **command):
        self.tell(**command)
        return await self.read()

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    def usage(self):
        """Return seconds of CPU, and resident memory in MB."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(stat[11]) + int(stat[12])
        return ticks / os.sysconf("SC_CLK_TCK"), int(stat[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def child(module, *arguments, python=sys.executable, **more):
    """Run ``python -m MODULE ARGUMENTS`` until left; it ends when its standard input closes."""
    process = await asyncio.create_subprocess_exec(
        python,
        "-m",
        module,
        *map(str, arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        limit=_LINE_MAX,
        **more,
    )
    try:
        yield Child(process)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def commands():
    """In a child: yield the commands that the parent sends, until it closes our standard input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LINE_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


def answer(**values):
    """In a child: send a line to the parent."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()
