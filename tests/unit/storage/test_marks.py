from cuckoo.domain.identifiers import NodeId


async def test_raise_to__out_of_order__only_rises(store):
    marks = [await store.writer.execute(store.marks.raise_to(NodeId(1), NodeId(2), number)) for number in (4, 9, 6)]
    assert marks == [4, 9, 9]
    assert await store.marks.highest(NodeId(1), NodeId(2)) == 9


async def test_of_coordinator__several_miners__its_own_only(store):
    for coordinator, miner, sequence in ((1, 2, 5), (1, 3, 6), (4, 2, 7)):
        await store.writer.execute(store.marks.raise_to(NodeId(coordinator), NodeId(miner), sequence))
    assert await store.marks.of_coordinator(NodeId(1)) == {NodeId(2): 5, NodeId(3): 6}
    assert await store.marks.highest(NodeId(4), NodeId(3)) == 0
