"""What ``cuckoo generate`` has asked for and not got yet: a file each, so that it can go on after Ctrl-C or a crash."""

import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from cuckoo.domain.errors import ConfigError
from cuckoo.protocol.messages import TaskRequest


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that were asked for together.

    Attributes:
        key: the idempotency key that they were, or will be, asked for with; names the file.
        origin: the coordinator.
        output: where pictures go, absolute.
        receipt_file: where receipts go; "" for nowhere.
        tasks: ids in the order of the requests; empty as long as the coordinator's answer is not here.
        closed: numbers of the requests of which nothing more is to come.
    """

    key: str
    origin: str
    requests: tuple[TaskRequest, ...]
    output: str
    receipt_file: str = ""
    tasks: tuple[str, ...] = ()
    closed: tuple[int, ...] = ()

    def open_numbers(self) -> list[int]:
        """Return the numbers of the requests whose pictures are not here."""
        return [number for number in range(len(self.requests)) if number not in self.closed]

    def place_of(self, number: int) -> Path:
        """Return where the pictures of a request go: apple.png, or apple-1.png, apple-2.png, ... for several."""
        return self._numbered(self.output, number)

    def receipt_place_of(self, number: int) -> Path:
        """Return where the receipt of a request goes; named as its pictures."""
        return self._numbered(self.receipt_file, number)

    def _numbered(self, path: str, number: int) -> Path:
        whole = Path(path)
        return whole if len(self.requests) == 1 else whole.with_stem(f"{whole.stem}-{number + 1}")


class Orders:
    """The files, in a folder of this user."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made when the first order comes."""
        self._folder = folder

    def all(self) -> list[Order]:
        """Read what is open, the oldest first; raises ConfigError for a file that can not be read."""
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        return [self._read(file) for file in files]

    @staticmethod
    def _read(file: Path) -> Order:
        try:
            return msgspec.json.decode(file.read_bytes(), type=Order)
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError(f"read what was asked for, {file}: {error}; delete the file to forget it") from None

    def holds(self, order: Order) -> bool:
        """Tell whether an order was kept already."""
        return (self._folder / f"{order.key}.json").exists()

    def write(self, order: Order) -> None:
        """Keep an order, whole or not at all; one that is closed is let go. Raises ConfigError."""
        file = self._folder / f"{order.key}.json"
        if not order.open_numbers():
            file.unlink(missing_ok=True)
            return
        partial = file.with_suffix(".partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                stream.write(msgspec.json.encode(order))
            partial.replace(file)
        except OSError as error:
            raise ConfigError(f"keep what was asked for in {file}: {error.strerror}") from None

    def forget(self, order: Order) -> None:
        """Let go of an order of which nothing more is to come."""
        self.write(replace(order, closed=tuple(range(len(order.requests)))))
