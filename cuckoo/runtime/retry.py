"""Try again what may pass: capped exponential back-off with full jitter.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, the variant called full jitter.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cuckoo.domain.errors import TransientError
from cuckoo.runtime.clock import Clock

T = TypeVar("T")


def backoff_s(attempt: int, *, first_s: float = 0.25, cap_s: float = 30.0, draw: Callable[[], float]) -> float:
    """Return the seconds to wait after failed try ``attempt`` (0 for the first); ``draw`` gives 0..1."""
    return min(cap_s, first_s * 2.0 ** min(attempt, 30)) * (0.5 + 0.5 * draw())


async def retry(
    call: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    tries: int,
    first_s: float = 0.25,
    cap_s: float = 30.0,
    on_failure: Callable[[TransientError, float], None] | None = None,
) -> T:
    """Call until it works or ``tries`` are used up; only TransientError is tried again.

    Raises:
        TransientError: that of the last try.
    """
    for attempt in range(tries):
        try:
            return await call()
        except TransientError as error:
            if attempt == tries - 1:
                raise
            wait_s = backoff_s(attempt, first_s=first_s, cap_s=cap_s, draw=random.random)
            if on_failure is not None:
                on_failure(error, wait_s)
            await clock.sleep(wait_s)
    raise ValueError(f"tries must be at least 1, not {tries}")
