"""What an API key may still ask for: open tasks, and what its tasks may cost in a day."""

from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import LimitReached
from cuckoo.services.dispatch.live import LiveTasks
from cuckoo.storage.keys import ApiKey
from cuckoo.storage.store import Store
from cuckoo.storage.usage import DAY_S, Usage, add_usage, day_of, read_usage
from cuckoo.storage.writer import Command

_OPEN_RETRY_S = 2.0


class Quota:
    """Counts for every key what is open, and what of today is on disk as spent.

    The limit of a day holds for all that was booked on it and everything that is open, at its full price: whatever
    comes of the open tasks, the limit is not passed.
    """

    def __init__(self, tasks: LiveTasks) -> None:
        """Start without anything spent; ``recover`` reads what was."""
        self._tasks = tasks
        self._day = 0
        self._spent: dict[int, int] = {}

    async def recover(self, store: Store, now: float) -> None:
        """Read what was spent today."""
        self._day = day_of(now)
        usage = await store.reader.execute(read_usage(since_day=self._day))
        self._spent = {owner: one.spent_wei for owner, one in usage.items()}

    def check(self, key: ApiKey, price_wei: int, now: float, *, tasks: int = 1) -> None:
        """See whether a key may have another task, or several.

        Args:
            key: whose they would be.
            price_wei: what they cost at most, together.
            now: unix seconds.
            tasks: how many.

        Raises:
            LimitReached: names the limit, and says when to come again.
        """
        count, held_wei = self._tasks.held_by(key.key_id)
        doing = f'take a task of the API key "{key.name}" in'
        if count + tasks > key.limits.open_tasks:
            raise LimitReached(
                f"{doing}: it has {count:,} open tasks, its limit is {key.limits.open_tasks:,}", _OPEN_RETRY_S
            )
        limit_wei = key.limits.spend_per_day_wei
        if limit_wei is None or not price_wei:
            return
        spent_wei = self._today(now).get(key.key_id, 0)
        if spent_wei + held_wei + price_wei > limit_wei:
            raise LimitReached(
                f"{doing}: it costs {format_cai(price_wei)} CAI; {format_cai(spent_wei)} are spent today (UTC), "
                f"{format_cai(held_wei)} are held for open tasks, its limit is {format_cai(limit_wei)} a day",
                _OPEN_RETRY_S if held_wei and spent_wei + price_wei <= limit_wei else DAY_S - now % DAY_S,
            )

    @staticmethod
    def book(owner_key: int, usage: Usage, at: float) -> Command[None]:
        """Return what writes down, in the commit that ends a task, what came of it."""
        return add_usage(owner_key, usage, at)

    def booked(self, owner_key: int, usage: Usage, at: float) -> None:
        """Count what is on disk now."""
        spent = self._today(at)
        if day_of(at) == self._day:
            spent[owner_key] = spent.get(owner_key, 0) + usage.spent_wei

    def _today(self, now: float) -> dict[int, int]:
        if day_of(now) > self._day:
            self._day = day_of(now)
            self._spent = {}
        return self._spent
