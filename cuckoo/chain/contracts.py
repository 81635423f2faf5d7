"""A class per contract. Every read takes the block it is read at; every write says what it does."""

from collections.abc import Sequence
from typing import Any

import msgspec
from eth_typing import HexStr
from web3 import AsyncWeb3
from web3.exceptions import BadFunctionCallOutput
from web3.types import BlockIdentifier, TxReceipt

from cuckoo.chain.abi import decode_node, decode_page, selector, uints
from cuckoo.chain.answers import RequestRefused
from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.chain.transactions import Sends
from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.node import Node

OWN, VOTES = 0, 1
PAGE = 1_000
"""Rows of a call: 44 million gas, where nodes allow 50 million."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What one staker has in one tranche of one node. ``active_wei`` is what its shares are worth now.

    ``tranche_shares``: all active shares of the tranche, among which its rewards are shared.
    """

    node_id: NodeId
    tranche: int
    active_shares: int
    tranche_shares: int
    active_wei: Wei
    rewards_wei: Wei


class Unbonding(msgspec.Struct, frozen=True, kw_only=True):
    """Stake on its way out. ``free_at`` in unix seconds."""

    node_id: NodeId
    tranche: int
    bucket: int
    shares: int
    wei: Wei
    free_at: int


class Contract:
    """A contract of the network, read and written through one client."""

    def __init__(self, client: ChainClient, name: str, address: Address) -> None:
        self._client = client
        self.address = address
        self._contract = client.web3.eth.contract(on_chain(address), abi=load_artifact(name).abi)

    async def _read(self, function: str, *arguments: Any, block: BlockIdentifier, doing: str = "") -> Any:
        return await self._client.run(
            lambda web3: (
                web3.eth.contract(on_chain(self.address), abi=self._contract.abi)
                .functions[function](*arguments)
                .call(block_identifier=block)
            ),
            doing=doing or f"read {function}",
        )

    async def _call(self, signature: str, *arguments: int, block: BlockIdentifier, doing: str) -> bytes:
        """Read a function of unsigned integers; returns what it answers, not decoded."""
        to, data = on_chain(self.address), "0x" + (selector(signature) + uints(*arguments)).hex()

        async def call(web3: AsyncWeb3[Any]) -> bytes:
            answer = bytes(await web3.eth.call({"to": to, "data": HexStr(data)}, block))
            if not answer:
                raise BadFunctionCallOutput(f"no contract at {to} in block {block!r}")
            return answer

        return await self._client.run(call, doing=doing)

    async def _write(self, sender: Sends, doing: str, function: str, *arguments: Any, once: str = "") -> TxReceipt:
        return await sender.send(self._contract.functions[function](*arguments), doing, once=once)


class TokenContract(Contract):
    """CAI."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to the network's token."""
        super().__init__(client, "CuckooToken", client.network.token)

    async def balance(self, account: Address, block: BlockIdentifier = "latest") -> Wei:
        """Read the CAI in a wallet."""
        return Wei(await self._read("balanceOf", account, block=block))

    async def allowance(self, owner: Address, spender: Address, block: BlockIdentifier = "latest") -> Wei:
        """Read how much ``spender`` may take."""
        return Wei(await self._read("allowance", owner, spender, block=block))

    async def approve(self, sender: Sends, spender: Address, amount: Wei) -> TxReceipt:
        """Let ``spender`` take ``amount``."""
        return await self._write(sender, "approve CAI", "approve", spender, amount)

    async def transfer(self, sender: Sends, to: Address, amount: Wei) -> TxReceipt:
        """Send CAI."""
        return await self._write(sender, "send CAI", "transfer", to, amount)


class FaucetContract(Contract):
    """The faucet of a test network."""

    def __init__(self, client: ChainClient, address: Address) -> None:
        """Bind to a faucet."""
        super().__init__(client, "Faucet", address)

    async def drip(self, sender: Sends, to: Address) -> TxReceipt:
        """Have the faucet give one drip to ``to``."""
        return await self._write(sender, "ask the faucet", "drip", to)

    async def next_drip_at(self, account: Address, block: BlockIdentifier = "latest") -> int:
        """Read from when an address may be given to, unix seconds."""
        return int(await self._read("nextDripAt", account, block=block))

    async def drip_amounts(self, block: BlockIdentifier = "latest") -> tuple[Wei, int]:
        """Read what a drip gives: CAI in wei, native coin in wei."""
        return Wei(await self._read("DRIP_CAI", block=block)), int(await self._read("DRIP_NATIVE", block=block))


class StakingContract(Contract):
    """Registry, votes, rewards. Amounts in wei, times in unix seconds."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to the network's Staking contract."""
        super().__init__(client, "Staking", client.network.staking)

    # Reads

    async def idle_stake(self, staker: Address, block: BlockIdentifier = "latest") -> Wei:
        """Read a staker's idle stake."""
        return Wei(await self._read("idleStake", staker, block=block))

    async def node(self, node_id: NodeId, block: BlockIdentifier = "latest") -> Node:
        """Read one node; the introduction is left empty (see :mod:`cuckoo.chain.events`)."""
        return decode_node(await self._call("nodeOf(uint32)", node_id, block=block, doing=f"read node {node_id}"))

    async def nodes(self, role: Role, block: BlockIdentifier = "latest") -> list[Node]:
        """Read all nodes of a role in a few calls; introductions are left empty.

        A page that is more than an endpoint wants to compute is halved.
        """
        found: list[Node] = []
        limit = PAGE
        doing = f"read the {role.name.lower()}s"
        while True:
            try:
                data = await self._call(
                    "nodes(uint8,uint256,uint256)", int(role), len(found), limit, block=block, doing=doing
                )
            except RequestRefused:
                if limit == 1:
                    raise
                limit //= 2
                continue
            rows, cursor = decode_page(data)
            found += rows
            if not cursor:
                return found

    async def operator_of(self, operator: Address, block: BlockIdentifier = "latest") -> tuple[NodeId, int]:
        """Read the node of an operator key (0 for none) and when the key was replaced there (0: in use)."""
        node_id, replaced_at = await self._read("operatorOf", operator, block=block)
        return NodeId(node_id), int(replaced_at)

    async def role_row(self, role: Role, block: BlockIdentifier = "latest") -> tuple[int, int, int]:
        """Read of a role: recorded weight in wei, emission in wei a second, and what is left to be emitted."""
        weight, rate, reserve = await self._read("roleOf", int(role), block=block)
        return int(weight), int(rate), int(reserve)

    async def role_weight(self, role: Role, block: BlockIdentifier = "latest") -> Wei:
        """Read the recorded weight of all nodes of a role."""
        return Wei((await self.role_row(role, block))[0])

    async def seed_tip(self, node_id: NodeId, tip: bytes, block: BlockIdentifier = "latest") -> tuple[int, int]:
        """Read when and in which block a seed tip was committed; zeros when it was not."""
        committed_at, number = await self._read("seedTip", node_id, tip, block=block)
        return int(committed_at), int(number)

    async def position(
        self,
        node_id: NodeId,
        tranche: int,
        staker: Address,
        block: BlockIdentifier = "latest",
    ) -> Position:
        """Read what a staker has in a tranche of a node, and what it could claim."""
        shares = int(await self._read("activeShares", node_id, tranche, staker, block=block))
        row = await self._read("nodeOf", node_id, block=block)
        view = row[8 + tranche]
        worth = shares * view[0] // view[1] if view[1] else 0
        return Position(
            node_id=node_id,
            tranche=tranche,
            active_shares=shares,
            tranche_shares=int(view[2]),
            active_wei=Wei(worth),
            rewards_wei=await self.claimable(node_id, tranche, staker, block),
        )

    async def claimable(
        self,
        node_id: NodeId,
        tranche: int,
        staker: Address,
        block: BlockIdentifier = "latest",
    ) -> Wei:
        """Read what ``claim`` would pay a staker now."""
        return Wei(
            await self._client.run(
                lambda web3: (
                    web3.eth.contract(on_chain(self.address), abi=self._contract.abi)
                    .functions.claim(node_id, tranche)
                    .call({"from": staker}, block_identifier=block)
                ),
                doing=f"read rewards at node {node_id}",
            ),
        )

    async def unbonding(
        self,
        node_id: NodeId,
        tranche: int,
        staker: Address,
        buckets: Sequence[int],
        block: BlockIdentifier = "latest",
    ) -> list[Unbonding]:
        """Read which of ``buckets`` hold unbonding shares of a staker, and what they are worth now."""
        row = await self._read("nodeOf", node_id, block=block)
        view = row[8 + tranche]
        found = []
        for bucket in buckets:
            shares = int(await self._read("unbondingShares", node_id, tranche, staker, bucket, block=block))
            if shares:
                found.append(
                    Unbonding(
                        node_id=node_id,
                        tranche=tranche,
                        bucket=bucket,
                        shares=shares,
                        wei=Wei(shares * view[0] // view[1] if view[1] else 0),
                        free_at=bucket * self._client.network.parameters.release_bucket,
                    ),
                )
        return found

    async def owned_by(self, owner: Address, block: BlockIdentifier = "latest") -> list[Node]:
        """Read the nodes of both roles that belong to ``owner``."""
        every = [*await self.nodes(Role.MINER, block), *await self.nodes(Role.COORDINATOR, block)]
        return [node for node in every if node.owner == owner]

    async def share_price(self, node_id: NodeId, tranche: int, block: BlockIdentifier = "latest") -> tuple[Wei, int]:
        """Read all tokens and all shares of a tranche."""
        row = await self._read("nodeOf", node_id, block=block, doing=f"read node {node_id}")
        return Wei(row[8 + tranche][0]), int(row[8 + tranche][1])

    # Writes

    async def stake(self, sender: Sends, amount: Wei, *, once: str = "") -> TxReceipt:
        """Move CAI into idle stake; the token must be approved. ``once``: see :meth:`Sender.send`."""
        return await self._write(sender, "deposit", "stake", amount, once=once)

    async def unstake(self, sender: Sends, amount: Wei) -> TxReceipt:
        """Move idle stake back into the wallet."""
        return await self._write(sender, "withdraw", "unstake", amount)

    async def register(  # noqa: PLR0913  the fields of the contract's struct
        self,
        sender: Sends,
        *,
        role: Role,
        operator: Address,
        introduction: str,
        commission_bps: int,
        max_commission_bps: int,
        amount: Wei,
        deadline: int,
        operator_signature: bytes,
    ) -> TxReceipt:
        """Register a node with own stake out of the sender's idle stake."""
        row = (
            int(role),
            operator,
            introduction,
            commission_bps,
            max_commission_bps,
            amount,
            deadline,
            operator_signature,
        )
        return await self._write(sender, f"register a {role.name.lower()}", "register", row)

    async def set_introduction(self, sender: Sends, node_id: NodeId, introduction: str) -> TxReceipt:
        """Publish a new introduction."""
        return await self._write(sender, f"introduce node {node_id}", "setIntroduction", node_id, introduction)

    async def rotate_operator(
        self,
        sender: Sends,
        node_id: NodeId,
        operator: Address,
        deadline: int,
        operator_signature: bytes,
    ) -> TxReceipt:
        """Give a node a new operator."""
        doing = f"rotate the operator of node {node_id}"
        return await self._write(sender, doing, "rotateOperator", node_id, operator, deadline, operator_signature)

    async def transfer_owner(self, sender: Sends, node_id: NodeId, new_owner: Address) -> TxReceipt:
        """Offer a node to a new owner."""
        return await self._write(sender, f"offer node {node_id}", "transferOwner", node_id, new_owner)

    async def accept_owner(self, sender: Sends, node_id: NodeId) -> TxReceipt:
        """Take over a node that was offered."""
        return await self._write(sender, f"take over node {node_id}", "acceptOwner", node_id)

    async def set_payee(self, sender: Sends, node_id: NodeId, payee: Address) -> TxReceipt:
        """Name who receives a node's income."""
        return await self._write(sender, f"set the payee of node {node_id}", "setPayee", node_id, payee)

    async def set_commission(self, sender: Sends, node_id: NodeId, commission_bps: int) -> TxReceipt:
        """Lower the commission at once, or announce a higher one."""
        doing = f"set the commission of node {node_id}"
        return await self._write(sender, doing, "setCommission", node_id, commission_bps)

    async def commit_seed_tip(self, sender: Sends, node_id: NodeId, tip: bytes) -> TxReceipt:
        """Publish the tip of the hash chain whose links seed this coordinator's draws."""
        return await self._write(sender, f"commit the seed tip of node {node_id}", "commitSeedTip", node_id, tip)

    async def vote(
        self, sender: Sends, node_id: NodeId, tranche: int, amount: Wei, min_shares: int, *, once: str = ""
    ) -> TxReceipt:
        """Put idle stake behind a node. ``once``: see :meth:`Sender.send`."""
        doing = f"vote for node {node_id}"
        return await self._write(sender, doing, "vote", node_id, tranche, amount, min_shares, once=once)

    async def unvote(self, sender: Sends, node_id: NodeId, tranche: int, shares: int) -> TxReceipt:
        """Start to take shares out."""
        return await self._write(sender, f"unvote node {node_id}", "unvote", node_id, tranche, shares)

    async def revote(self, sender: Sends, node_id: NodeId, tranche: int, shares: int, bucket: int) -> TxReceipt:
        """Put unbonding shares to work again."""
        return await self._write(sender, f"revote for node {node_id}", "revote", node_id, tranche, shares, bucket)

    async def release(
        self,
        sender: Sends,
        node_id: NodeId,
        tranche: int,
        staker: Address,
        bucket: int,
    ) -> TxReceipt:
        """Pay a matured bucket into the staker's idle stake."""
        return await self._write(sender, f"release from node {node_id}", "release", node_id, tranche, staker, bucket)

    async def claim(self, sender: Sends, node_id: NodeId, tranche: int, *, once: str = "") -> TxReceipt:
        """Pay the sender's rewards into its wallet. ``once``: see :meth:`Sender.send`."""
        return await self._write(sender, f"claim at node {node_id}", "claim", node_id, tranche, once=once)

    async def unjail(self, sender: Sends, node_id: NodeId) -> TxReceipt:
        """End the jail of a node whose time is over."""
        return await self._write(sender, f"unjail node {node_id}", "unjail", node_id)

    async def poke(self, sender: Sends, node_id: NodeId) -> TxReceipt:
        """Settle and weigh a node anew."""
        return await self._write(sender, f"poke node {node_id}", "poke", node_id)
