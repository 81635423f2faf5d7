"""Use cases of a staker's wallet. ``cuckoo stake`` and the portal call the same ones."""

from collections.abc import Mapping
from typing import Any

import msgspec

from cuckoo.chain.contracts import OWN, VOTES, FaucetContract, StakingContract, TokenContract, Unbonding
from cuckoo.chain.events import StakingEvents
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sends
from cuckoo.domain.amounts import CAI, Wei, format_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address, NodeId
from cuckoo.domain.node import Node

MIN_VOTE = Wei(1 * CAI)
NOTHING = Wei(0)
SHARE_SLIPPAGE_BPS = 10


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction did. ``detail`` is one sentence for people."""

    detail: str
    transaction: str
    block: int
    gas_used: int


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """A staker's stake in one tranche of one node, now. ``tranche_shares``: all active shares there."""

    node: Node
    tranche: int
    active_shares: int
    tranche_shares: int
    active_wei: Wei
    rewards_wei: Wei


class Portfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a staker has, read at one block. ``native_wei`` pays gas."""

    staker: Address
    block: int
    time: int
    native_wei: int
    wallet_wei: Wei
    idle_wei: Wei
    stakes: tuple[Stake, ...]
    unbonding: tuple[Unbonding, ...]


def done(detail: str, receipt: Mapping[str, Any]) -> Done:
    """Make the answer to a use case out of a transaction's receipt."""
    return Done(
        detail=detail,
        transaction="0x" + bytes(receipt["transactionHash"]).hex(),
        block=receipt["blockNumber"],
        gas_used=receipt["gasUsed"],
    )


class Wallet:
    """A staker's use cases. Reading ones need no key."""

    def __init__(self, client: ChainClient, address: Address, sender: Sends | None = None) -> None:
        """Take the chain, whose wallet it is, and the key that signs (None: read only)."""
        self._client = client
        self.address = address
        self._sender = sender
        self._token = TokenContract(client)
        self._staking = StakingContract(client)
        self._events = StakingEvents(client)

    @property
    def sender(self) -> Sends:
        """The key that signs; raises ConfigError when there is none."""
        if self._sender is None:
            raise ConfigError("sign a transaction: this needs the owner's key: name it with --key")
        return self._sender

    # Idle stake.

    async def deposit(self, amount: Wei, *, once: str = "", brought: Wei = NOTHING) -> Done:
        """Move CAI from the wallet into idle stake; approves exactly that amount first when needed.

        Args:
            amount: how much.
            once: a name of this very act; a process that died may have done it already: see ``Sender.send``.
            brought: what steps before it bring into the wallet.
        """
        balance = await self._token.balance(self.address)
        if balance + brought < amount:
            raise ConfigError(
                f"deposit {format_cai(amount)} CAI: this wallet has {format_cai(balance)} CAI"
                + ("; cuckoo faucet gives some" if self._client.network.faucet else ""),
            )
        if await self._token.allowance(self.address, self._staking.address) < amount:
            await self._token.approve(self.sender, self._staking.address, amount)
        receipt = await self._staking.stake(self.sender, amount, once=once)
        return done(f"deposited {format_cai(amount)} CAI: it is idle stake now", receipt)

    async def withdraw(self, amount: Wei | None = None) -> Done:
        """Move idle stake (None: all of it) back into the wallet."""
        idle = await self._staking.idle_stake(self.address)
        wanted = idle if amount is None else amount
        if idle < wanted or not wanted:
            raise ConfigError(
                f"withdraw {format_cai(wanted)} CAI: this wallet has {format_cai(idle)} CAI of idle stake; stake "
                "behind nodes comes back with cuckoo stake unvote and, when it is free, cuckoo stake release",
            )
        return done(f"withdrew {format_cai(wanted)} CAI", await self._staking.unstake(self.sender, wanted))

    # Votes.

    async def vote(self, node_id: NodeId, amount: Wei, *, once: str = "", brought: Wei = NOTHING) -> Done:
        """Put idle stake behind a node: into its own tranche when it is the wallet's, else into its votes.

        Args:
            node_id: which.
            amount: how much.
            once: as for :meth:`deposit`.
            brought: what steps before it bring into idle stake.
        """
        if amount < MIN_VOTE:
            raise ConfigError(f"vote with {format_cai(amount)} CAI: a vote is at least {format_cai(MIN_VOTE)} CAI")
        node = await self._staking.node(node_id)
        tranche = self.tranche(node)
        idle = await self._staking.idle_stake(self.address)
        if idle + brought < amount:
            missing = format_cai(amount - idle, grouped=False)
            raise ConfigError(
                f"vote with {format_cai(amount)} CAI: this wallet has {format_cai(idle)} CAI of idle stake: "
                f"cuckoo stake deposit {missing}",
            )
        least = await self._shares_for(node_id, tranche, amount)
        receipt = await self._staking.vote(self.sender, node_id, tranche, amount, least, once=once)
        return done(f"{format_cai(amount)} CAI stand behind node {node_id} now", receipt)

    async def _shares_for(self, node_id: NodeId, tranche: int, amount: Wei) -> int:
        """Shares that ``amount`` buys at the present price, less a tolerance for what happens meanwhile."""
        tokens, shares = await self._staking.share_price(node_id, tranche)
        expected = amount * shares // tokens if shares and tokens else amount
        return expected * (10_000 - SHARE_SLIPPAGE_BPS) // 10_000

    async def unvote(self, node_id: NodeId, amount: Wei | None = None) -> Done:
        """Start to take stake (None: all of it) out of a node."""
        node = await self._staking.node(node_id)
        tranche = self.tranche(node)
        position = await self._staking.position(node_id, tranche, self.address)
        if not position.active_shares:
            raise ConfigError(f"unvote node {node_id}: this wallet has no active stake behind it")
        if amount is None or amount >= position.active_wei:
            if amount is not None and amount > position.active_wei:
                raise ConfigError(
                    f"unvote {format_cai(amount)} CAI: this wallet has {format_cai(position.active_wei)} CAI behind "
                    f"node {node_id}",
                )
            shares = position.active_shares
        else:
            shares = -(-amount * position.active_shares // position.active_wei)
        receipt = await self._staking.unvote(self.sender, node_id, tranche, shares)
        days = self._client.network.parameters.unbonding
        return done(
            f"stake behind node {node_id} stopped to count; it can be slashed until it is free, in about {days} s: "
            "then cuckoo stake release",
            receipt,
        )

    async def revote(self, node_id: NodeId) -> list[Done]:
        """Put all unbonding stake of a node to work again."""
        answers = []
        for item in (await self.portfolio()).unbonding:
            if item.node_id == node_id:
                receipt = await self._staking.revote(self.sender, node_id, item.tranche, item.shares, item.bucket)
                answers.append(done(f"{format_cai(item.wei)} CAI count for node {node_id} again", receipt))
        if not answers:
            raise ConfigError(f"revote for node {node_id}: nothing of this wallet is on its way out there")
        return answers

    async def release(self) -> list[Done]:
        """Pay every matured bucket into idle stake; none when nothing is free yet."""
        portfolio = await self.portfolio()
        return [await self._release(item) for item in portfolio.unbonding if item.free_at <= portfolio.time]

    async def _release(self, item: Unbonding) -> Done:
        receipt = await self._staking.release(self.sender, item.node_id, item.tranche, self.address, item.bucket)
        return done(f"{format_cai(item.wei)} CAI from node {item.node_id} are idle stake now", receipt)

    async def move(self, from_node: NodeId, to_node: NodeId) -> list[Done]:
        """Put what is free of a node, after its unbonding time, behind another one."""
        portfolio = await self.portfolio()
        free = [one for one in portfolio.unbonding if one.node_id == from_node and one.free_at <= portfolio.time]
        if not free:
            raise ConfigError(
                f"move from node {from_node} to node {to_node}: nothing of this wallet is free there yet: "
                f"cuckoo stake unvote {from_node}, and when its time is over, move it"
            )
        amount = Wei(sum(one.wei for one in free))
        answers = [await self._release(one) for one in free]
        return [*answers, await self.vote(to_node, amount, brought=amount)]

    async def claim(self, node_id: NodeId | None = None) -> list[Done]:
        """Pay the rewards of one node (None: of all) into the wallet."""
        answers = []
        for stake in (await self.portfolio()).stakes:
            if stake.rewards_wei and node_id in (None, stake.node.node_id):
                receipt = await self._staking.claim(self.sender, stake.node.node_id, stake.tranche)
                claimed = format_cai(self._claimed(receipt) or stake.rewards_wei)
                answers.append(done(f"claimed {claimed} CAI at node {stake.node.node_id}", receipt))
        return answers

    async def compound(self, node_id: NodeId | None = None) -> list[Done]:
        """Claim the rewards of one node (None: of all), and put them behind the node that paid them."""
        answers: list[Done] = []
        for stake in (await self.portfolio()).stakes:
            node, rewards = stake.node, stake.rewards_wei
            if node_id not in (None, node.node_id) or rewards < MIN_VOTE or stake.tranche != self.tranche(node):
                continue
            receipt = await self._staking.claim(self.sender, node.node_id, stake.tranche)
            answers.append(done(f"claimed {format_cai(rewards)} CAI at node {node.node_id}", receipt))
            answers.append(await self.deposit(rewards, brought=rewards))
            answers.append(await self.vote(node.node_id, rewards, brought=rewards))
        return answers

    async def claim_of(self, node_id: NodeId, tranche: int, *, once: str = "") -> Wei:
        """Pay the rewards of one position into the wallet, and return how much that was; ``once``: as for deposits."""
        return self._claimed(await self._staking.claim(self.sender, node_id, tranche, once=once))

    def _claimed(self, receipt: Mapping[str, Any]) -> Wei:
        """Return what a claim has paid."""
        events = self._events.decode(receipt["logs"])
        return Wei(sum(int(event.arguments["amount"]) for event in events if event.name == "Claimed"))

    # Reads.

    async def portfolio(self) -> Portfolio:
        """Read everything this wallet has, at the latest block."""
        block = await self._client.block()
        touched: dict[tuple[NodeId, int], set[int]] = {}
        for event in await self._events.of_staker(self.address, block.number):
            if not event.node_id:
                continue
            key = (NodeId(event.node_id), int(event.arguments["tranche"]))
            buckets = touched.setdefault(key, set())
            if event.name == "Unvoted":
                buckets.add(int(event.arguments["bucket"]))
        for owned in await self._staking.owned_by(self.address, block.number):
            # Own stake goes with the node: what a former owner took out is this owner's when it is free.
            unvotes = await self._events.unvotes(owned.node_id, OWN, block.number)
            touched[owned.node_id, OWN] = {int(event.arguments["bucket"]) for event in unvotes}
        stakes, unbonding = [], []
        for (node_id, tranche), buckets in sorted(touched.items()):
            node = await self._staking.node(node_id, block.number)
            if tranche == OWN and node.owner != self.address:
                continue
            position = await self._staking.position(node_id, tranche, self.address, block.number)
            if position.active_shares or position.rewards_wei:
                stakes.append(
                    Stake(
                        node=node,
                        tranche=tranche,
                        active_shares=position.active_shares,
                        tranche_shares=position.tranche_shares,
                        active_wei=position.active_wei,
                        rewards_wei=position.rewards_wei,
                    ),
                )
            unbonding += await self._staking.unbonding(node_id, tranche, self.address, sorted(buckets), block.number)
        return Portfolio(
            staker=self.address,
            block=block.number,
            time=block.timestamp,
            native_wei=await self._client.native_balance(self.address, block.number),
            wallet_wei=await self._token.balance(self.address, block.number),
            idle_wei=await self._staking.idle_stake(self.address, block.number),
            stakes=tuple(stakes),
            unbonding=tuple(unbonding),
        )

    def tranche(self, node: Node) -> int:
        """Return where this wallet's votes for a node go."""
        return OWN if node.owner == self.address else VOTES


async def drip(client: ChainClient, payer: Sends, to: Address) -> Done:
    """Have the network's faucet give one drip (CAI, and native coin for gas) to ``to``.

    Raises:
        ConfigError: this network has no faucet.
        Reverted: the address was given to a moment ago.
    """
    if client.network.faucet is None:
        raise ConfigError(f"ask the faucet: network {client.network.name} has none")
    faucet = FaucetContract(client, client.network.faucet)
    receipt = await faucet.drip(payer, to)
    cai, native = await faucet.drip_amounts()
    return done(f"{to} received {format_cai(cai)} CAI and {format_cai(native)} of native coin for gas", receipt)
