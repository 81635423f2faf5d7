import pytest

from cuckoo.services.mining.slots import Slots


def test_slots__running_attempt_ends__prefetched_one_moves_up():
    slots = Slots(1)
    slots.take(0, b"a")
    slots.take(1, b"b")
    assert slots.release(b"a") == 1
    assert slots.is_free(1)
    assert not slots.is_free(0)
    assert slots.release(b"b") == 0


def test_slots__nothing_prefetched__the_slot_itself_is_free():
    slots = Slots(2)
    slots.take(1, b"a")
    assert slots.release(b"a") == 1
    assert slots.release(b"a") is None


def test_slots__taken_twice__refused():
    slots = Slots(1)
    slots.take(0, b"a")
    with pytest.raises(ValueError, match="holds an attempt"):
        slots.take(0, b"b")
