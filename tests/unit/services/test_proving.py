"""A miner that signed two results: proven once, whatever the chain answers."""

import pytest

from cuckoo.chain.reverts import Reverted
from cuckoo.domain.errors import ChainUnreachable, ConfigError, Conflict
from cuckoo.protocol.messages import TaskRequest
from cuckoo.services.proving import Proving
from cuckoo.storage.proofs import ProofState
from tests.support.coordinating import ScriptedMiner, app, png, running


class Court:
    """Answers what the test says; then convicts."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.convictions = []

    async def two_receipts(self, assignment, first, second):
        if self.errors:
            raise self.errors.pop(0)
        self.convictions.append((assignment[0].miner_node, first[0].picture_hashes, second[0].picture_hashes))


@pytest.mark.parametrize(
    ("errors", "looks", "state"),
    [
        ([], 1, ProofState.PROVEN),
        ([ChainUnreachable("no answer"), ConfigError("no gas")], 3, ProofState.PROVEN),
        ([Reverted("known", "AlreadyConvicted")], 1, ProofState.PROVEN),
        ([Reverted("late", "ReportWindowOver")], 1, ProofState.REFUSED),
    ],
    ids=["convicted", "later", "by others", "too late"],
)
async def test_second_receipt__proven_as_soon_as_the_chain_takes_it(tmp_path, errors, looks, state):
    async with running(tmp_path) as coordinator:
        miner, court = ScriptedMiner(coordinator), Court(*errors)
        await miner.sign_in()
        async with app(coordinator) as client:
            await client.submit(TaskRequest(prompt="a red apple"))
        assignment = (await miner.poll()).assignment
        await miner.submit(assignment, miner.result(assignment))
        for colour in ((1, 2, 3), (4, 5, 6)):
            with pytest.raises(Conflict):
                await miner.submit(assignment, miner.result(assignment, pictures=[png(colour=colour)]))
        proofs = coordinator.store.proofs
        assert len(await proofs.all_open()) == 1, "one for each attempt"
        proving = Proving(coordinator.store, court, clock=coordinator.clock)
        for number in range(looks):
            assert len(await proofs.all_open()) == 1, number
            await proving.look()
        assert not await proofs.all_open()
        assert (await proofs.state(assignment.task_id, 1))[0] is state
        assert len(court.convictions) == (not errors or looks > 1)
        await miner.client.close()
