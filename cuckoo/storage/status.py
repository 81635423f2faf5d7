"""A role's report as a file in its data folder: replaced in one piece, read by anybody who may read the folder.

A file needs no port, no socket to clean up after a kill, and can be read when the process is gone. Whether the process
lives is not read from it: the kernel holds the folder's lock exactly as long as the process does.
"""

from pathlib import Path

import msgspec

from cuckoo.domain.status import Report
from cuckoo.storage.lock import holder

FILE = "status.json"


def write_report(folder: Path, report: Report) -> None:
    """Replace the report; raises OSError."""
    partial = folder / f"{FILE}.new"
    partial.write_bytes(msgspec.json.encode(report))
    partial.replace(folder / FILE)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and which process holds the folder: None when none does."""

    folder: Path
    report: Report
    pid: int | None


def read_reports(network_dir: Path) -> list[Found]:
    """Read the reports of all roles of a network, by folder name; what can not be read is left out.

    Args:
        network_dir: the network's folder inside the data folder.
    """
    found = []
    for path in sorted(network_dir.glob(f"*/{FILE}")):
        try:
            report = msgspec.json.decode(path.read_bytes(), type=Report)
        except (OSError, msgspec.DecodeError):
            continue
        found.append(Found(folder=path.parent, report=report, pid=holder(path.parent)))
    return found
