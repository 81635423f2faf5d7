"""Introductions come from strangers."""

import pytest

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import Role, parse_task_id, task_id
from cuckoo.domain.node import Introduction, Node, encode_introduction, minimum_own_stake, parse_introduction


def _node(introduction):
    return Node(
        node_id=1, role=Role.MINER, owner="0x", operator="0x", weight_wei=1, own_wei=1, own_active_wei=1, votes_wei=0,
        votes_active_wei=0, floor_wei=1, commission_bps=0, max_commission_bps=0, introduction=introduction,
    )  # fmt: skip


def test_introduction__round_trip__is_equal():
    introduction = Introduction(name="뻐꾸기", url="http://127.0.0.1:8080", links=("https://a.example",))
    assert parse_introduction(encode_introduction(introduction)) == introduction


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": 1}', '{"url": "x"}', '{"name": "' + "x" * 1_024 + '"}'])
def test_introduction__hostile__is_refused(text):
    with pytest.raises(InvalidField) as caught:
        parse_introduction(text)
    assert caught.value.field == "introduction"


def test_node_url__unreadable_introduction__is_empty():
    assert _node("<script>").url == ""
    assert _node('{"name":"a","url":"http://127.0.0.1:1"}').url == "http://127.0.0.1:1"
    assert _node("").eligible


def test_minimum_own_stake__by_role():
    assert minimum_own_stake(Role.MINER) == 20_000 * 10**18
    assert minimum_own_stake(Role.COORDINATOR) == 2_000_000 * 10**18


def test_task_id__not_hex__is_refused():
    assert parse_task_id(task_id(bytes(16))) == "0" * 32
    with pytest.raises(InvalidField):
        parse_task_id("0" * 31 + "G")
    with pytest.raises(ValueError, match="16 bytes"):
        task_id(b"")
