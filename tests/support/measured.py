"""CPU time and memory of another process, as Linux counts them."""

import time
from pathlib import Path

MIB = 2**20


def cpu_s(pid):
    """Return the CPU seconds of all threads of a process. Source: clock_getcpuclockid(3), its encoding in Linux."""
    return time.clock_gettime(~pid << 3 | 2)


def rss_bytes(pid, *, peak=False):
    """Return the resident memory of a process, now or at most since ``forget_peak``."""
    name = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no {name}")


def forget_peak(pid):
    """Let the peak start anew from what is resident now. Source: proc_pid_clear_refs(5)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
