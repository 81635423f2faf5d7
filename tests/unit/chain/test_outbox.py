"""The outbox on disk: which nonce is next, what stays, and what is forgotten."""

import pytest
from msgspec.structs import replace

from cuckoo.chain.outbox import Account, Outbox, Sent

ACCOUNT = Account(genesis="a", address="0x1")
OTHER_CHAIN = Account(genesis="b", address="0x1")
OTHER_ADDRESS = Account(genesis="a", address="0x2")


def transaction(nonce, version="", at=1.0):
    return Sent(nonce=nonce, hash=f"{nonce}{version}", raw=b"raw", doing="test", at=at)


@pytest.fixture
def outbox(tmp_path):
    opened = Outbox(tmp_path / "folder" / "outbox.sqlite")
    yield opened
    opened.close()


def test_allocate__empty__begins_where_the_chain_is(outbox):
    assert outbox.allocate(ACCOUNT, 7, transaction).nonce == 7


def test_allocate__chain_does_not_know_of_the_last_ones__goes_on_after_them(outbox):
    assert [outbox.allocate(ACCOUNT, 7, transaction).nonce for _ in range(3)] == [7, 8, 9]


def test_allocate__reopened__knows_what_was_recorded(outbox, tmp_path):
    outbox.allocate(ACCOUNT, 0, transaction)
    outbox.close()
    again = Outbox(tmp_path / "folder" / "outbox.sqlite")
    assert again.allocate(ACCOUNT, 0, transaction).nonce == 1
    assert [sent.nonce for sent in again.waiting(ACCOUNT, 0)] == [0, 1]
    again.close()


def test_allocate__one_in_the_middle_was_withdrawn__is_given_out_first(outbox):
    for _ in range(3):
        outbox.allocate(ACCOUNT, 0, transaction)
    outbox.withdraw(ACCOUNT, 1)
    assert [outbox.allocate(ACCOUNT, 0, transaction).nonce for _ in range(2)] == [1, 3]


def test_allocate__endpoint_lags_behind__gives_no_used_nonce(outbox):
    for _ in range(5):
        outbox.allocate(ACCOUNT, 0, transaction)
    assert outbox.allocate(ACCOUNT, 2, transaction).nonce == 5


def test_allocate__chain_lost_what_another_program_sent__fills_the_gap(outbox):
    outbox.allocate(ACCOUNT, 7, transaction)
    assert [outbox.allocate(ACCOUNT, 6, transaction).nonce for _ in range(2)] == [6, 8]


def test_forget__final_for_long__is_gone(outbox):
    for _ in range(5):
        outbox.allocate(ACCOUNT, 0, transaction)
    outbox.forget(ACCOUNT, 4, before=2.0)
    assert [sent.nonce for sent in outbox.waiting(ACCOUNT, 0)] == [4]


def test_forget__final_but_recorded_just_now__stays(outbox):
    for at in (1.0, 2.0, 3.0, 4.0):
        outbox.allocate(ACCOUNT, 0, lambda nonce, at=at: transaction(nonce, at=at))
    outbox.forget(ACCOUNT, 4, before=2.5)
    assert [sent.nonce for sent in outbox.waiting(ACCOUNT, 0)] == [2, 3]


def test_allocate__signing_fails__records_nothing(outbox):
    def broken(_):
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        outbox.allocate(ACCOUNT, 0, broken)
    assert outbox.count(ACCOUNT) == 0


def test_allocate__other_chain_or_account__counts_for_itself(outbox):
    outbox.allocate(ACCOUNT, 0, transaction)
    assert outbox.allocate(OTHER_CHAIN, 0, transaction).nonce == 0
    assert outbox.allocate(OTHER_ADDRESS, 0, transaction).nonce == 0
    outbox.withdraw(OTHER_CHAIN, 0)
    outbox.forget(OTHER_ADDRESS, 9, before=2.0)
    assert outbox.count(ACCOUNT) == 1


def test_replace__several_versions__the_last_one_counts(outbox):
    outbox.allocate(ACCOUNT, 0, transaction)
    outbox.allocate(ACCOUNT, 0, transaction)
    outbox.replace(ACCOUNT, transaction(0, "b", at=2.0))
    assert [sent.hash for sent in outbox.versions(ACCOUNT, 0)] == ["0b", "0"]
    assert [sent.hash for sent in outbox.waiting(ACCOUNT, 0)] == ["0b", "1"]
    assert outbox.count(ACCOUNT) == 2


def test_under__several_acts__only_those_of_that_name_the_last_first(outbox):
    for number, doing in enumerate(("claim (1)", "claim (2)", "claim (1)")):
        outbox.allocate(ACCOUNT, 0, lambda nonce, doing=doing: replace(transaction(nonce), doing=doing))
        assert len(outbox.waiting(ACCOUNT, 0)) == number + 1
    assert [sent.nonce for sent in outbox.under(ACCOUNT, "claim (1)")] == [2, 0]
    assert outbox.under(OTHER_CHAIN, "claim (1)") == []
