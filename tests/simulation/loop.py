"""An event loop whose time is simulated: it jumps to the next timer, runs threads' work inline, and so is repeatable."""

import asyncio
import selectors

SLOW = 0.02
"""Of what threads do."""


class Stuck(Exception):
    """Nothing is left to wait for, yet somebody waits."""


class _Selector(selectors.SelectSelector):
    """Waits for no file: time passes instead."""

    def __init__(self):
        super().__init__()
        self.loop = None

    def select(self, timeout=None):
        if timeout is None:
            raise Stuck("nothing will ever happen any more")
        if timeout > 0:
            self.loop.passed_s += timeout
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Time is how long it has run; no thread is ever started."""

    def __init__(self, rng):
        self.passed_s = 0.0
        self._rng = rng
        selector = _Selector()
        super().__init__(selector)
        selector.loop = self
        self._clock_resolution = 1e-9

    def time(self):
        return self.passed_s

    def run_in_executor(self, executor, func, *args):
        """Run a thread's work here, a little later, sometimes much: what others do meanwhile comes first."""
        future = self.create_future()

        def run():
            if future.done():
                return
            try:
                future.set_result(func(*args))
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                future.set_exception(error)

        self.call_later(self._rng.uniform(0.1, 3.0) if self._rng.random() < SLOW else 0.001, run)
        return future

    def call_soon_threadsafe(self, callback, *args, context=None):
        return self.call_soon(callback, *args, context=context)

    async def shutdown_default_executor(self, timeout=None):
        """There is none."""


EPOCH_S = 1_800_000_000.0


class SimulatedClock:
    """One machine's clock: wrong by ``skew_s``."""

    def __init__(self, loop):
        self._loop = loop
        self.skew_s = 0.0

    def now(self):
        return EPOCH_S + self._loop.time() + self.skew_s

    def monotonic(self):
        return self._loop.time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)
