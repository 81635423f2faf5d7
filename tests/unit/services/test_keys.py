"""Who is let in: keys that change while the role runs, and how often each may call."""

import pytest

from cuckoo.domain.errors import ConfigError, KeyRefused, LimitReached
from cuckoo.services.keys import AppKeys
from cuckoo.storage.keys import KEYS_NAME, Limits, hash_key, open_keys


class Clock:
    """Time that a test moves; whoever sleeps sees what the test lets happen meanwhile."""

    def __init__(self):
        self.seconds = 1_000.0
        self.slept = []
        self.meanwhile = iter(())

    def now(self):
        return self.seconds

    def monotonic(self):
        return self.seconds

    async def sleep(self, seconds):
        self.slept.append(seconds)
        next(self.meanwhile)()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(tmp_path):
    with open_keys(tmp_path) as book:
        yield book


@pytest.fixture
def theirs(tmp_path, book):
    """The same file as another process has it open."""
    with open_keys(tmp_path) as theirs:
        yield theirs


def test_book__a_key__is_kept_as_its_hash_only(tmp_path, book):
    secret, key = book.create("shop", Limits(spend_per_day_wei=2**100), 1.0)
    assert len(secret) >= 50
    assert book.read() == [key]
    assert key.secret_hash == hash_key(secret)
    files = b"".join(file.read_bytes() for file in tmp_path.glob(f"{KEYS_NAME}*"))
    assert b"shop" in files
    assert secret.removeprefix("cuckoo_").encode() not in files


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 41, "a\n", "é"])
def test_book__a_name_that_is_none__is_refused(book, name):
    with pytest.raises(ConfigError, match="a name has 1 to 40"):
        book.create(name, Limits(), 1.0)


def test_book__a_name_that_was_revoked__is_not_given_again(book):
    book.create("shop", Limits(), 1.0)
    assert book.revoke("shop", 2.0).revoked_at == 2.0
    assert book.revoke("shop", 3.0).revoked_at == 2.0, "it stays as it was"
    with pytest.raises(ConfigError, match="there is one of this name"):
        book.create("shop", Limits(), 4.0)
    with pytest.raises(ConfigError, match="there is none of this name"):
        book.revoke("shed", 4.0)


def test_book__lost_and_made_anew__gives_no_id_twice(tmp_path):
    ids = set()
    for number in range(3):
        with open_keys(tmp_path / str(number)) as book:
            ids.add(book.create("shop", Limits(), 1.0)[1].key_id)
    assert len(ids) == 3


async def test_run__changes_by_another_process__are_taken_up_at_the_next_look(book, theirs, clock):
    keys = AppKeys(book, open_access=False, clock=clock)
    made, seen = [], []

    def create():
        made.append(theirs.create("shop", Limits(), 1.0)[0])

    def revoke():
        seen.append(keys.admit(f"Bearer {made[0]}").name)
        theirs.revoke("shop", 2.0)

    def look_again():
        with pytest.raises(KeyRefused, match="revoked"):
            keys.admit(f"Bearer {made[0]}")
        raise EndOfTestError

    clock.meanwhile = iter((create, revoke, look_again))
    with pytest.raises(EndOfTestError):
        await keys.run()
    assert seen == ["shop"]
    assert max(clock.slept) <= 1.0


class EndOfTestError(Exception):
    """Ends a service that runs for ever."""


async def test_refresh__nothing_changed__reads_nothing(book, theirs, clock, monkeypatch):
    keys = AppKeys(book, open_access=False, clock=clock)
    await keys.refresh()
    monkeypatch.setattr(book, "read", lambda: pytest.fail("read again"))
    await keys.refresh()


async def test_admit__bytes_that_are_no_text__are_a_refusal(book, clock):
    keys = AppKeys(book, open_access=True, clock=clock)
    await keys.refresh()
    with pytest.raises(KeyRefused, match="not known"):
        keys.admit("Bearer \udce9")


async def test_admit__two_keys__each_has_its_own_calls(book, clock):
    one, _ = book.create("one", Limits(requests_per_minute=2), 1.0)
    two, _ = book.create("two", Limits(requests_per_minute=2), 1.0)
    keys = AppKeys(book, open_access=False, clock=clock)
    await keys.refresh()
    for _ in range(2):
        assert keys.admit(f"Bearer {one}").name == "one"
    with pytest.raises(LimitReached) as refused:
        keys.admit(f"Bearer {one}")
    assert refused.value.retry_after_s == pytest.approx(30.0)
    assert keys.admit(f"bearer {two}").name == "two"
    clock.seconds += 3_600
    for _ in range(2):
        keys.admit(f"Bearer {one}")
    with pytest.raises(LimitReached):
        keys.admit(f"Bearer {one}")
