"""What a wallet has, as the portal shows it."""

from cuckoo.chain.contracts import OWN
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.identifiers import Address
from cuckoo.protocol.portal import At, Overview, StakeRow, UnbondingRow
from cuckoo.services.staking.history import DAY_S
from cuckoo.services.staking.shelf import TRANCHES, NodeShelf
from cuckoo.services.staking.wallet import Wallet
from cuckoo.services.staking.yields import Yields

SPAN_S = 30 * DAY_S


async def overview_of(client: ChainClient, shelf: NodeShelf, address: Address) -> Overview:
    """Read all that a wallet has; raises TransientError."""
    await shelf.ready()
    portfolio = await Wallet(client, address).portfolio()
    block = await client.block(portfolio.block)
    yields = await Yields(client, address).read(portfolio.stakes, block, (SPAN_S,))
    stakes = tuple(
        StakeRow(
            node_id=one.node.node_id,
            name=shelf.introduction(shelf.seen(one.node)).name,
            role=one.node.role.name.lower(),
            tranche=TRANCHES[one.tranche],
            active_cai=format_cai(one.active_wei, grouped=False),
            rewards_cai=format_cai(one.rewards_wei, grouped=False),
            yearly_percent=None if earned.yearly is None else f"{float(earned.yearly) * 100:.4f}",
            since=earned.since,
            warnings=shelf.warnings(shelf.seen(one.node)),
        )
        for one, (earned,) in zip(portfolio.stakes, yields, strict=True)
    )
    return Overview(
        at=At(block=block.number, time=block.timestamp, hash=block.hash),
        staker=address,
        native=format_cai(portfolio.native_wei, grouped=False),
        wallet_cai=format_cai(portfolio.wallet_wei, grouped=False),
        idle_cai=format_cai(portfolio.idle_wei, grouped=False),
        rewards_cai=format_cai(sum(one.rewards_wei for one in portfolio.stakes), grouped=False),
        stakes=stakes,
        unbonding=tuple(
            UnbondingRow(
                node_id=one.node_id,
                tranche=TRANCHES[one.tranche],
                bucket=one.bucket,
                amount_cai=format_cai(one.wei, grouped=False),
                free_at=one.free_at,
                free=one.free_at <= block.timestamp,
            )
            for one in portfolio.unbonding
        ),
        owned=tuple(one.node.node_id for one in portfolio.stakes if one.tranche == OWN),
    )
