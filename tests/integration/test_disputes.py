"""Judged disputes on a real chain: who is convicted, who loses a bond, and what a process that is killed does after."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from click.testing import CliRunner
from msgspec.structs import replace
from PIL import Image

from cuckoo.chain.deployment import write_network
from cuckoo.chain.outbox import Outbox
from cuckoo.chain.transactions import Sender
from cuckoo.cli.disputes import disputes
from cuckoo.demo.cheats import Cheat, CheatingPool
from cuckoo.domain.amounts import CAI
from cuckoo.domain.dispute import Outcome, Phase, Verdict
from cuckoo.domain.errors import Conflict, InvalidField, NotFound
from cuckoo.protocol.inputs import Inputs, packed
from cuckoo.services.disputing.court import Court
from cuckoo.storage.accusations import AccusationState
from tests.support.disputing import Liar, Link, Nobody, Pool, courthouse, long_phases
from tests.support.mining import PROFILE

BOND = 210 * CAI
MINER, COORDINATOR = 2, 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network():
    async with long_phases() as deployed:
        yield deployed


@pytest.fixture
async def town(network, tmp_path):
    async with courthouse(network, tmp_path) as stage:
        yield stage


async def juries_of(town):
    return [(await town.jury(node))[0] for node in town.jurors]


def own_stake(town, node):
    return town.chain.staking.functions.nodeOf(node).call()[8][0]


async def test_cheat__three_honest_jurors__is_convicted_and_everybody_settled(town):
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    payees = [town.chain.staking.functions.payeeOf(node).call() for node in town.jurors]
    before = [town.chain.token.functions.balanceOf(payee).call() for payee in payees]
    await town.cheated(store)
    await accusing.look()
    assert town.wallet(COORDINATOR) == 1_000 * CAI - BOND
    await town.judged(accusing, juries)
    dispute = await juries[0]._court.contract.dispute(1)
    assert dispute.phase is Phase.APPEAL
    town.until_next_phase(1)
    await accusing.look()
    (done,) = await store.accusations.disputed()
    last = await juries[0]._court.contract.round(1, 0)
    assert done.state is AccusationState.CONVICTED
    assert last.guilty == last.claimed >= 15, "21 are expected"
    assert f"convicted by {last.guilty} of {last.claimed} seats and lost 1,000 CAI" in done.detail
    assert done.detail.endswith(f"{1_000 - 5 * last.guilty:,} CAI burned")
    assert own_stake(town, MINER) == 19_000 * CAI
    assert town.wallet(COORDINATOR) == 1_000 * CAI, "its bond is back"
    await town.look(*juries)
    after = [town.chain.token.functions.balanceOf(payee).call() for payee in payees]
    fee = (await juries[0]._court.contract.dispute(1)).fee_wei
    seats = [(await jury._store.verdicts.newest(1))[0].seats for jury in juries]
    assert [new - old for new, old in zip(after, before, strict=True)] == [count * fee for count in seats]
    assert all(["earned" in (await jury._store.verdicts.newest(1))[0].outcome for jury in juries])


async def test_honest_miner__accused__is_acquitted_and_the_accuser_loses_its_bond(town):
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    await town.accuse(store, *await town.result())
    await accusing.look()
    await town.judged(accusing, juries)
    town.until_next_phase(1)
    await accusing.look()
    (done,) = await store.accusations.disputed()
    assert "miner 2 was acquitted" in done.detail
    assert "its accuser lost 210 CAI" in done.detail
    assert town.wallet(COORDINATOR) == 1_000 * CAI - BOND
    assert own_stake(town, MINER) == 20_000 * CAI


async def test_lazy_juror__finds_an_honest_miner_guilty__is_outvoted_and_pays_for_each_seat(town):
    lazy, *_ = town.jurors
    town.pools[lazy] = CheatingPool(Pool(), Cheat.LAZY_JUROR)
    before = own_stake(town, lazy)
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    await town.accuse(store, *await town.result())
    await accusing.look()
    await town.judged(accusing, juries)
    town.until_next_phase(1)
    await accusing.look()
    await town.look(*juries)
    said = (await juries[0]._store.verdicts.newest(1))[0]
    assert said.verdict is Verdict.GUILTY
    (done,) = await store.accusations.disputed()
    assert "miner 2 was acquitted" in done.detail
    assert own_stake(town, MINER) == 20_000 * CAI
    assert own_stake(town, lazy) == before - 10 * CAI * said.seats


async def test_juror__killed_between_commit_and_reveal__reveals_the_same(town):
    accusing, store = await town.accusing()
    node = town.jurors[0]
    await town.cheated(store)
    await accusing.look()
    town.pass_time(1)
    async with AsyncExitStack() as life:
        jury, verdicts = await town.jury(node, life)
        await town.look(jury)
        town.until_next_phase(1)
        await jury.look()
        said = (await verdicts.verdicts.newest(1))[0]
        assert (await jury._court.contract.seats(1, 0, node)).committed
        await jury._stop()
    town.until_next_phase(1)
    town.links = [Nobody(None)]
    again, verdicts = await town.jury(node)
    await again.look()
    seats = await again._court.contract.seats(1, 0, node)
    assert seats.verdict is said.verdict is Verdict.GUILTY
    assert town.pools[node].ran == 1, "it was not made once more"


async def test_juror__killed_before_its_verdict_is_committed__makes_it_again_or_commits_what_is_on_disk(town):
    accusing, store = await town.accusing()
    node = town.jurors[0]
    await town.cheated(store)
    await accusing.look()
    town.pass_time(1)
    async with AsyncExitStack() as life:
        jury, _ = await town.jury(node, life)
        await jury.look()
        await jury._stop()
    async with AsyncExitStack() as life:
        jury, verdicts = await town.jury(node, life)
        await town.look(jury)
        said = (await verdicts.verdicts.newest(1))[0]
        await jury._stop()
    town.until_next_phase(1)
    again, verdicts = await town.jury(node)
    await again.look()
    assert (await verdicts.verdicts.newest(1))[0].salt == said.salt
    assert (await again._court.contract.seats(1, 0, node)).committed


async def test_coordinator__many_wrong_results_of_one_miner__two_disputes_and_the_others_wait_their_time(town):
    accusing, store = await town.accusing()
    for _ in range(4):
        await town.cheated(store)
    for _ in range(2):
        await accusing.look()
    states = [one.state.value for one in await store.accusations.unfinished()]
    assert sorted(states) == ["open", "open", "recorded", "recorded"]
    town.pass_time(6_000)
    await accusing.look()
    await accusing.look()
    assert await store.accusations.unfinished() == []
    assert town.chain.disputes.functions.disputeCount().call() == 2


class Killed(BaseException):
    """The process is gone."""


def _kill(*_, **__):
    raise Killed


@pytest.mark.parametrize("moment", ["recorded", "approved", "in the outbox", "sent"])
async def test_coordinator__killed__opens_exactly_one(town, monkeypatch, moment):
    async with AsyncExitStack() as life:
        accusing, store = await town.accusing(life)
        await town.cheated(store)
        with monkeypatch.context() as patch:
            if moment == "recorded":
                patch.setattr(Court, "_pledge", _kill)
            elif moment == "approved":
                patch.setattr(accusing._court.contract, "open", _kill)
            elif moment == "in the outbox":
                push = Sender._push

                async def die(sender, sent):
                    if "accuse" in sent.doing:
                        raise Killed
                    await push(sender, sent)

                patch.setattr(Sender, "_push", die)
            else:
                patch.setattr(store.accusations, "opened", _kill)
            with pytest.raises(Killed):
                await accusing.look()
    for _ in range(2):
        async with AsyncExitStack() as life:
            accusing, store = await town.accusing(life)
            for _ in range(3):
                await accusing.look()
            (one,) = await store.accusations.unfinished()
            assert (one.state, one.dispute) == (AccusationState.OPEN, 1)
    assert town.chain.disputes.functions.disputeCount().call() == 1
    assert town.wallet(COORDINATOR) == 1_000 * CAI - BOND


async def test_coordinator__killed_when_sent_and_back_after_the_end__does_not_open_again(town, monkeypatch):
    async with AsyncExitStack() as life:
        accusing, store = await town.accusing(life)
        await town.cheated(store)
        with monkeypatch.context() as patch:
            patch.setattr(store.accusations, "opened", _kill)
            with pytest.raises(Killed):
                await accusing.look()
    town.pass_time(3_500)
    town.chain.send(town.operator(town.miner), town.chain.disputes.functions.execute(1))
    accusing, store = await town.accusing()
    accusing._court.sender._client.outbox = Outbox(None)
    for _ in range(3):
        await accusing.look()
    assert (await store.accusations.disputed())[0].state is AccusationState.ENDED
    assert town.chain.disputes.functions.disputeCount().call() == 1
    assert town.wallet(COORDINATOR) == 1_000 * CAI, "its bond is back"


async def test_coordinator__reorganisation_takes_the_dispute_away__opens_it_again(town):
    accusing, store = await town.accusing()
    await town.cheated(store)
    before = town.chain.rpc("evm_snapshot")
    await accusing.look()
    assert (await store.accusations.unfinished())[0].dispute == 1
    town.chain.rpc("evm_revert", before)
    assert town.chain.disputes.functions.disputeCount().call() == 0
    for _ in range(3):
        await accusing.look()
    assert (await store.accusations.unfinished())[0].dispute == 1
    assert town.chain.disputes.functions.disputeCount().call() == 1


async def test_seed__no_juror_takes_it__the_accuser_draws_it_before_it_is_lost_and_again_after(town):
    accusing, store = await town.accusing()
    await town.cheated(store)
    await accusing.look()
    contract = accusing._court.contract
    town.chain.rpc("anvil_mine", hex(100))
    await accusing.look()
    first = await contract.round(1, 0)
    assert not first.seed_known
    town.chain.rpc("anvil_mine", hex(300))
    await accusing.look()
    second = await contract.round(1, 0)
    assert (second.seed_known, second.ticket > first.ticket) == (False, True)
    town.chain.rpc("anvil_mine", hex(150))
    await accusing.look()
    assert (await contract.round(1, 0)).seed_known


async def test_juror__nobody_ends_the_dispute__does_it_after_a_while(town):
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    await town.cheated(store)
    await accusing.look()
    await town.judged(accusing, juries)
    town.until_next_phase(1)
    await juries[0].look()
    contract = juries[0]._court.contract
    assert (await contract.dispute(1)).phase is Phase.EXECUTE
    town.clock.ahead_s += 3 * juries[0]._court.look_s
    await juries[0].look()
    assert (await contract.dispute(1)).outcome is Outcome.CONVICTED


async def test_other_profile__small_difference__is_not_guilty_and_unreadable_evidence_abstains(town):
    accusing, store = await town.accusing()
    town.pools[town.jurors[0]] = Pool(replace(PROFILE, threads=4))
    town.pools[town.jurors[1]] = other = Pool()
    other.loaded = dict
    juries = await juries_of(town)
    await town.accuse(store, *await town.result())
    await accusing.look()
    await town.judged(accusing, juries)
    said = [(await jury._store.verdicts.newest(1))[0].verdict for jury in juries]
    assert said == [Verdict.NOT_GUILTY, Verdict.ABSTAIN, Verdict.NOT_GUILTY]
    assert other.ran == 0


async def test_evidence__another_task_than_was_signed__is_not_judged_by(town):
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    await town.accuse(store, *await town.result())
    await accusing.look()
    town.links.insert(0, Liar(town.links[0]._evidence))
    await town.judged(accusing, juries)
    assert {(await jury._store.verdicts.newest(1))[0].verdict for jury in juries} == {Verdict.NOT_GUILTY}


async def test_evidence__nobody_shows_it__jurors_abstain_in_time_and_bonds_go_back(town):
    accusing, store = await town.accusing()
    await town.cheated(store)
    await accusing.look()
    town.links = [Nobody(None)]
    juries = await juries_of(town)
    town.pass_time(1)
    for jury in juries:
        await jury.look()
    town.until_next_phase(1)
    for jury in juries:
        await jury.look()
    assert not any([await jury._store.verdicts.newest(1) for jury in juries]), "there is still time"
    town.pass_time(800)
    for _ in range(2):
        for jury in juries:
            await jury.look()
        town.until_next_phase(1)
    dispute = await juries[0]._court.contract.dispute(1)
    assert dispute.phase is Phase.EXECUTE, "nobody can appeal from nothing"
    await accusing.look()
    assert (await juries[0]._court.contract.dispute(1)).outcome is Outcome.DRAWN
    assert "all bonds went back" in (await store.accusations.disputed())[0].detail
    assert town.wallet(COORDINATOR) == 1_000 * CAI
    for jury in juries:
        await jury._stop()


async def test_accused__its_coordinator_shows_nothing__shows_its_task_elsewhere_and_is_acquitted(town):
    accusing, store = await town.accusing()
    task = await town.result()
    await town.accuse(store, *task)
    await accusing.look()
    other = await town.other_coordinator()
    town.links = [Link(other)]
    accused, receipts = await town.jury(town.miner)
    evidence = await town.kept(receipts, *task)
    forged = replace(
        evidence.assignment.assignment, parameters=replace(evidence.assignment.assignment.parameters, prompt="a pear")
    )
    with pytest.raises(InvalidField, match="must be"):
        await other.file(1, replace(evidence, assignment=replace(evidence.assignment, assignment=forged)))
    wrong = (await town.result(prompt="a pear"))[2]
    with pytest.raises(InvalidField, match="pixels"):
        await other.file(1, replace(evidence, result=replace(evidence.result, pictures=tuple(wrong))))
    await accused.look()
    with pytest.raises(Conflict):
        other.check_wanted(1)
    with pytest.raises(NotFound):
        other.check_wanted(2)
    juries = await juries_of(town)
    town.pools[town.jurors[0]].profile = replace(PROFILE, threads=4)
    await town.judged(accusing, juries)
    assert {(await jury._store.verdicts.newest(1))[0].verdict for jury in juries} == {Verdict.NOT_GUILTY}


async def test_made_from_a_picture__accused_shows_it__jurors_make_it_again_from_the_same(town):
    inputs = Inputs(source=packed(Image.new("RGB", (64, 64), "orange")))
    accusing, store = await town.accusing()
    task = await town.result(inputs=inputs)
    await town.accuse(store, *task, inputs=inputs)
    await accusing.look()
    other = await town.other_coordinator()
    town.links = [Link(other)]
    accused, receipts = await town.jury(town.miner)
    evidence = await town.kept(receipts, *task, inputs=inputs)
    for wrong in ((), (packed(Image.new("RGB", (64, 64), "blue")),)):
        with pytest.raises(InvalidField, match="what the assignment names"):
            await other.file(1, replace(evidence, inputs=wrong))
    await accused.look()
    with pytest.raises(NotFound):
        await other.input(1, bytes(32))
    juries = await juries_of(town)
    await town.judged(accusing, juries)
    assert {(await jury._store.verdicts.newest(1))[0].verdict for jury in juries} == {Verdict.NOT_GUILTY}
    assert {town.pools[juror].inputs for juror in town.jurors} == {inputs.payloads}


async def test_appeal__by_the_accuser__a_second_jury_judges_and_reuses_what_it_knows(town):
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    await town.accuse(store, *await town.result())
    await accusing.look()
    await town.judged(accusing, juries)
    await accusing._court.appeal(1)
    await town.judged(accusing, juries)
    assert (await accusing._court.contract.dispute(1)).outcome is Outcome.ACQUITTED
    assert "its accuser lost 640 CAI" in (await store.accusations.disputed())[0].detail
    assert [town.pools[node].ran for node in town.jurors] == [1, 1, 1]
    await town.look(*juries)
    said = await juries[0]._store.verdicts.newest(5)
    assert sorted(one.round for one in said) == [0, 1]
    assert all("earned" in one.outcome for one in said)


async def test_command__list_and_show__say_what_the_chain_says(town, tmp_path):
    accusing, store = await town.accusing()
    juries = await juries_of(town)
    await town.cheated(store)
    await accusing.look()
    await town.judged(accusing, juries)
    town.until_next_phase(1)
    await accusing.look()
    file = tmp_path / "network.json"
    write_network(town.network, file)

    async def run(*arguments):
        found = await asyncio.to_thread(
            CliRunner().invoke, disputes, [*arguments, "--network", str(file), "--data-dir", str(tmp_path)]
        )
        assert found.exit_code == 0, found.output
        return found.output

    shown = json.loads(await run("show", "1", "--json"))
    assert (shown["state"], shown["miner"], shown["own_lost"], shown["bond"]) == ("convicted", MINER, "1000", "210")
    assert {one["said"] for one in shown["jurors"]} == {"guilty"}
    assert sum(one["seats"] for one in shown["jurors"]) == shown["rounds"][0]["guilty"]
    assert json.loads(await run("list", "--json"))[0]["summary"] == shown["summary"]
    text = await run("show", "1")
    assert "miner 2 was convicted by" in text
    assert "1,000 CAI of its own" in text
    assert "convicted" in await run("list", "--state", "past")
    assert json.loads(await run("list", "--state", "open", "--json")) == []
    assert shown["evidence"]["profile"]["torch"] == PROFILE.torch
    assert len(shown["evidence"]["pictures"]) == 1
