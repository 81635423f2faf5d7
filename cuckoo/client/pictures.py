"""Pictures as a client gets them, and how they get onto its disk."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from cuckoo.domain.errors import ConfigError
from cuckoo.protocol.messages import AttemptView, ReceiptView, TaskView


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One picture: a PNG file that carries the signed receipt, and the seed that draws it again by itself."""

    png: bytes
    seed: int

    def save(self, path: str | Path) -> Path:
        """Write it to ``path``, or to the first free number after it; returns where. Raises ConfigError."""
        return save_new(Path(path), [self.png])[0]


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a task: its pictures in order, who made them, and the receipt that was checked against them.

    Attributes:
        task: as the coordinator shows it; ``task.price_wei`` is what it cost, ``task.parameters`` what was drawn.
        attempt: the one that succeeded: ``attempt.odds`` is the probability with which its miner was drawn.
        miner: what the miner calls itself.
        receipt: what the miner signed; ``cuckoo verify`` checks it against the chain.
    """

    task: TaskView
    attempt: AttemptView
    miner: str
    pictures: tuple[Picture, ...]
    receipt: ReceiptView

    def __iter__(self) -> Iterator[Picture]:
        return iter(self.pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def save(self, path: str | Path) -> list[Path]:
        """Write all of them; nothing that exists is overwritten.

        Args:
            path: ``apple.png`` gives ``apple.png`` for one picture and ``apple-1.png``, ``apple-2.png``, ... for
                several; names that are taken are passed over.

        Returns:
            The files, in order.

        Raises:
            ConfigError: a file can not be written.
        """
        return save_new(Path(path), [picture.png for picture in self.pictures])


def save_new(path: Path, contents: Sequence[bytes]) -> list[Path]:
    """Write files under names that nothing has yet; names and errors as for :meth:`Pictures.save`."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(1))
    names = numbered if len(contents) > 1 else itertools.chain([path], itertools.islice(numbered, 1, None))
    return [_save_first(names, content) for content in contents]


def _save_first(names: Iterator[Path], content: bytes) -> Path:
    for name in names:
        try:
            with name.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigError(f"write {name}: {error.strerror}") from None
        return name
    raise ConfigError("write a file: there is no name left")
