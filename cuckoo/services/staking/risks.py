"""What to know before an act that can not be taken back, in numbers; pages and commands have the sentences."""

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.node import Node
from cuckoo.protocol import acts
from cuckoo.protocol.acts import Act, Risk

JUDGED_PERCENT = "5"
"""Of own stake and of votes, for one fault that a jury finds; docs/contracts.md."""

WEEK_PERCENT = "10"
"""Of a node, by juries in a week."""

PROVEN_PERCENT = "50"
"""Of own stake, for two signatures that contradict each other."""


class Risks:
    """Reads what it takes from the chain."""

    def __init__(self, client: ChainClient) -> None:
        """Take the chain."""
        self._parameters = client.network.parameters
        self._staking = StakingContract(client)

    async def of(self, act: Act) -> tuple[Risk, ...]:  # noqa: PLR0911 - one case per act
        """Return what to know before an act; nothing for one that can be taken back at once."""
        out = Risk(
            kind="unbonding",
            numbers={
                "seconds": str(self._parameters.unbonding),
                "bucket_seconds": str(self._parameters.release_bucket),
            },
        )
        match act:
            case acts.Vote() | acts.Revote():
                return (out, *self._behind(await self._staking.node(NodeId(act.node_id))))
            case acts.Move():
                return (out, *self._behind(await self._staking.node(NodeId(act.to_node))))
            case acts.Compound():
                return (out, Risk(kind="slash_votes", numbers={"percent": JUDGED_PERCENT, "week": WEEK_PERCENT}))
            case acts.Unvote():
                return (out, Risk(kind="slashable_meanwhile", numbers={"percent": JUDGED_PERCENT}))
            case acts.Register():
                own = Risk(kind="slash_own", numbers={"percent": JUDGED_PERCENT, "proven": PROVEN_PERCENT})
                return (out, own, Risk(kind="operator_for_ever"), Risk(kind="introduction_public"))
            case acts.Introduce():
                return (Risk(kind="introduction_public"),)
            case acts.SetCommission():
                return (Risk(kind="commission_notice", numbers={"seconds": str(self._parameters.commission_notice)}),)
            case acts.Transfer():
                node = await self._staking.node(NodeId(act.node_id))
                return (Risk(kind="own_stake_goes_along", numbers={"cai": format_cai(node.own_wei)}),)
            case acts.RotateOperator():
                return (Risk(kind="old_key_never_again"), Risk(kind="operator_for_ever"))
            case _:
                return ()

    def _behind(self, node: Node) -> tuple[Risk, ...]:
        found = [
            Risk(kind="slash_votes", numbers={"percent": JUDGED_PERCENT, "week": WEEK_PERCENT}),
            Risk(
                kind="commission",
                numbers={
                    "now": f"{node.commission_bps / 100:g}",
                    "most": f"{node.max_commission_bps / 100:g}",
                    "seconds": str(self._parameters.commission_notice),
                },
            ),
        ]
        if node.jailed_until:
            found.append(Risk(kind="jailed", numbers={"until": str(node.jailed_until)}))
        elif not node.eligible:
            found.append(Risk(kind="weightless"))
        return tuple(found)
