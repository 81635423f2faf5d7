"""Prometheus metrics of a process, in a registry of their own so that roles and tests do not collide."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class CoordinatorMetrics:
    """What a coordinator counts."""

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

    def render(self) -> bytes:
        """Write all metrics in the text format."""
        return generate_latest(self.registry)
