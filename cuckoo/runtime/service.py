"""What a service is."""

from collections.abc import Awaitable, Callable

import msgspec


async def _nothing() -> None:
    return None


class Service(msgspec.Struct, frozen=True):
    """A loop with a name.

    Attributes:
        name: for logs and errors.
        run: runs until cancelled; returning or raising stops the process.
        drain: called first at a stop: take no new work, return when what runs has finished.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    drain: Callable[[], Awaitable[None]] = _nothing
