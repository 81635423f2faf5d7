"""Which block seeds a draw period: the rule that everybody can check; docs/decisions/001."""

from cuckoo.chain.rpc import Block, ChainClient


async def last_block_before(client: ChainClient, timestamp: int, newest: Block) -> Block:
    """Find the last block whose timestamp is at most ``timestamp``, at or below ``newest``."""
    if newest.timestamp <= timestamp:
        return newest
    low, high = 0, newest.number
    while high - low > 1:
        middle = (low + high) // 2
        if (await client.block(middle)).timestamp <= timestamp:
            low = middle
        else:
            high = middle
    return await client.block(low)


async def seed_block(client: ChainClient, period_start: int, tip_block: int) -> Block | None:
    """Find the block that seeds a draw period.

    Args:
        client: the chain.
        period_start: unix seconds.
        tip_block: number of the block that committed the seed tip.

    Returns:
        The last block with a timestamp of at most ``period_start`` - lead, at the earliest the one after ``tip_block``;
        None while it is not finalised.
    """
    finalized = await client.block("finalized")
    target = period_start - client.network.parameters.draw_lead
    if finalized.number <= tip_block:
        return None
    after_tip = await client.block(tip_block + 1)
    if after_tip.timestamp > target:
        return after_tip
    if finalized.timestamp <= target:
        newest = await client.block("latest")
        if newest.timestamp <= target:
            return None
        following = await client.block(finalized.number + 1)
        return finalized if following.timestamp > target else None
    return await last_block_before(client, target, finalized)
