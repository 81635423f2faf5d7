"""A running miner answers why it is idle, under the sessions that it has."""

import msgspec
import pytest

from cuckoo.domain.errors import Overloaded
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.market import MissedView
from cuckoo.services.mining.idle import ABOUT, SAME_S, IdleReport, WhyIdle
from cuckoo.storage import questions
from tests.support.mining import Coordinator

VIEW = MissedView(coordinator_node=NodeId(1), since=1.0, won=2, counts={"lost": 3}, tasks=())


@pytest.fixture
def folder(tmp_path):
    return tmp_path


async def answered(network, mining, folder):
    token = questions.ask(folder, ABOUT)
    await WhyIdle(NodeId(9), mining, folder, clock=network.clock).look()
    return msgspec.json.decode(questions.answered(folder, ABOUT, token), type=IdleReport)


async def test_question__answered__with_what_the_coordinator_says_and_without_a_new_sign_in(network, folder):
    network.coordinator.missed_reply = VIEW
    async with network.running() as mining:
        await network.until(network.polled(2))
        sign_ins = len(network.coordinator.requests)
        report = await answered(network, mining, folder)
        assert len(network.coordinator.requests) == sign_ins
    (one,) = report.coordinators
    assert (report.node, one.coordinator, one.signed_in, one.chosen) == (9, 1, True, True)
    assert (one.missed, one.problem, one.stopped) == (VIEW, "", "")
    assert questions.asked(folder, ABOUT) is None


async def test_question__coordinator_that_refuses__says_why_and_others_answer(network, folder):
    network.coordinators.append(Coordinator(network.clock, 2))
    network.coordinator.missed_reply = Overloaded("come again", 3.0)
    network.coordinators[1].missed_reply = VIEW
    async with network.running() as mining:
        await network.until(lambda: mining.signed_in() == {1, 2})
        report = await answered(network, mining, folder)
    assert [(one.coordinator, one.problem, one.missed) for one in report.coordinators] == [
        (1, "come again", None),
        (2, "", VIEW),
    ]


async def test_question__coordinator_away__is_told_as_one_without_a_session(network, folder):
    network.coordinator.reachable = False
    async with network.running() as mining:
        await network.until(lambda: mining.connections)
        (one,) = (await answered(network, mining, folder)).coordinators
    assert (one.signed_in, one.missed) == (False, None)
    assert "no session" in one.problem


async def test_question__asked_again_at_once__gets_the_answer_before_and_later_a_new_one(network, folder):
    network.coordinator.missed_reply = VIEW
    async with network.running() as mining:
        await network.until(network.polled(2))
        desk = WhyIdle(NodeId(9), mining, folder, clock=network.clock)

        async def won():
            token = questions.ask(folder, ABOUT)
            await desk.look()
            report = msgspec.json.decode(questions.answered(folder, ABOUT, token), type=IdleReport)
            return report.coordinators[0].missed.won

        assert await won() == 2
        network.coordinator.missed_reply = msgspec.structs.replace(VIEW, won=3)
        assert await won() == 2
        network.clock.time += SAME_S
        assert await won() == 3


async def test_look__nobody_asked__writes_nothing(network, folder):
    await WhyIdle(NodeId(9), network.mining(), folder, clock=network.clock).look()
    assert list(folder.glob(f"{ABOUT}*")) == []


def test_answer__to_an_older_question__is_not_taken_for_the_new_one(folder):
    first = questions.ask(folder, ABOUT)
    second = questions.ask(folder, ABOUT)
    questions.answer(folder, ABOUT, first, b"old")
    assert questions.answered(folder, ABOUT, second) is None
    assert questions.asked(folder, ABOUT) == second


@pytest.mark.parametrize("text", [b"", b"x" * 32, b"a" * 33, b"A" * 32])
def test_question__that_is_none__is_passed_over(folder, text):
    (folder / f"{ABOUT}.question").write_bytes(text)
    assert questions.asked(folder, ABOUT) is None
