"""A real Chromium, from npm, driven by Playwright; no request may leave the machine."""

import json
import os
import subprocess
from pathlib import Path

import pytest_asyncio
from playwright.async_api import async_playwright

HERE = Path(__file__).parent
NODE = HERE.parents[1] / ".venv" / "bin" / "node"
UNPACK = "import c from '@sparticuz/chromium'; console.log(JSON.stringify(await c.executablePath()))"
LIBRARIES = Path("/tmp/al2023/lib")
"""Where the package puts the system libraries that it brings for machines without them."""

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]


def chromium():
    """Unpack the browser once; returns its path and environment."""
    environment = {**os.environ, "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    answer = subprocess.run(
        [NODE, "--input-type=module", "-e", UNPACK],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    path = json.loads(answer.stdout.splitlines()[-1])
    linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    libraries = {"LD_LIBRARY_PATH": str(LIBRARIES)} if "not found" in linked else {}
    return path, {**os.environ, **libraries}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser():
    path, environment = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS, env=environment)
        yield browser
        await browser.close()
