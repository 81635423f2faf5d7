"""Tie this process to the one that started it: when standard input closes, stop as by SIGTERM, then by force.

The demo starts the roles this way, so that they end with it however it ends, kill -9 included.
"""

import os
import signal
import sys
import threading
import time

FORCE_AFTER_S = 20.0


def hold() -> None:
    """Watch standard input from a thread of its own; what is read is thrown away."""
    threading.Thread(target=_watch, name="leash", daemon=True).start()


def _watch() -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(FORCE_AFTER_S)
    os.killpg(0, signal.SIGKILL)
