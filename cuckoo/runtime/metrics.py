"""Prometheus metrics of a process, in a registry of their own so that roles and tests do not collide."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


DAY_S = 86_400


class Today:
    """How often things happened since midnight, UTC."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._day = -1
        self._counts: dict[str, int] = {}

    def add(self, what: str, at: float, times: int = 1) -> None:
        """Count something that happened at a unix time; what is of another day than the last asked for begins anew."""
        self._turn(at)
        self._counts[what] = self._counts.get(what, 0) + times

    def count(self, what: str, now: float) -> int:
        """Return how often it happened on the day of ``now``."""
        self._turn(now)
        return self._counts.get(what, 0)

    def _turn(self, at: float) -> None:
        day = int(at) // DAY_S
        if day > self._day:
            self._day, self._counts = day, {}


class CoordinatorMetrics:
    """What a coordinator counts. Amounts are CAI as floating-point numbers: for curves, not for accounts."""

    def __init__(self) -> None:
        """Make an empty registry."""
        self.registry = CollectorRegistry()
        self.tasks = Counter("cuckoo_tasks", "Tasks by how they ended", ["outcome"], registry=self.registry)
        self.tasks_accepted = Counter("cuckoo_tasks_accepted", "Tasks made durable", registry=self.registry)
        self.attempts = Counter("cuckoo_attempts", "Attempts by how they ended", ["outcome"], registry=self.registry)
        self.queued = Gauge("cuckoo_tasks_queued", "Tasks that wait for a miner", registry=self.registry)
        self.running = Gauge("cuckoo_tasks_running", "Tasks that a miner works on", registry=self.registry)
        self.miners = Gauge("cuckoo_miners_signed_in", "Miners with a session", registry=self.registry)
        self.parked = Gauge("cuckoo_slots_parked", "Slots that wait for a task", registry=self.registry)
        self.dispatch_s = Histogram(
            "cuckoo_dispatch_seconds",
            "From a task that is ready to its assignment",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
            registry=self.registry,
        )
        self.task_s = Histogram(
            "cuckoo_task_seconds",
            "From acknowledgement to the end of a task",
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600),
            registry=self.registry,
        )

        self.eta_told = self._gauge("eta_told", "Tasks done since the start of which an ETA was told at acceptance")
        self.eta_within = Gauge(
            "cuckoo_eta_within", "Of those, how many were done within it", ["quantile"], registry=self.registry
        )

        self.today = Today()
        self.owed = self._gauge("owed_cai", "Earned by miners and not redeemed, all together")
        self.redeemed = self._gauge("redeemed_cai", "Redeemed by the miners that signed in since the start")
        self.free = self._gauge("escrow_free_cai", "Ring-fenced for miners beyond what they are owed, all together")
        self.free_least = self._gauge("escrow_free_least_cai", "What is free for the miner that has least")
        self.wallet = self._gauge("wallet_cai", "CAI in the operator's wallet")
        self.wallet_gas = self._gauge("wallet_gas", "Native coin in the operator's wallet")
        self.wallet_lasts_s = self._gauge(
            "wallet_lasts_seconds", "How long the wallet lasts at the present rate; +Inf while nothing is spent"
        )
        self.weight = self._gauge("weight_cai", "Weight of this coordinator's node; without any, no miner serves it")
        self.warning = Gauge("cuckoo_warning", "1 while something is wrong", ["kind"], registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"cuckoo_{name}", about, registry=self.registry)

    def warn(self, warnings: Mapping[str, str], kinds: Mapping[str, str]) -> None:
        """Show which of all kinds of warnings hold."""
        for kind in kinds:
            self.warning.labels(kind).set(kind in warnings)

    def ended(self, outcome: str, at: float) -> None:
        """Count the end of a task, at a unix time."""
        self.tasks.labels(outcome).inc()
        self.today.add(outcome, at)

    def render(self) -> bytes:
        """Write all metrics in the text format."""
        return generate_latest(self.registry)


class MinerMetrics:
    """What a miner shows. Amounts as for a coordinator."""

    def __init__(self) -> None:
        """Make an empty registry."""
        self.registry = CollectorRegistry()
        self.running = self._gauge("attempts_running", "Attempts in hand")
        self.done_today = self._gauge("results_accepted_today", "Results accepted since midnight, UTC")
        self.signed_in = self._gauge("coordinators_signed_in", "Coordinators with a session")
        self.stopped = self._gauge("coordinators_stopped", "Coordinators whose work is not taken for lack of backing")
        self.unredeemed = self._gauge("unredeemed_cai", "What vouchers hold beyond what was paid, all together")
        self.in_flight = self._gauge("in_flight_cai", "What work in hand will earn")
        self.redeemed = self._gauge("redeemed_cai", "Paid on chain by the coordinators whose voucher is kept")
        self.gas = self._gauge("wallet_gas", "Native coin in the operator's wallet")
        self.weight = self._gauge("weight_cai", "Weight of this miner's node; without any, it gets no work")

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"cuckoo_miner_{name}", about, registry=self.registry)

    def render(self) -> bytes:
        """Write all metrics in the text format."""
        return generate_latest(self.registry)
