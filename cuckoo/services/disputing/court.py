"""The Disputes contract as both sides of a dispute use it: which are open, what came of them, and acts in them."""

from contextlib import suppress

import structlog

from cuckoo.chain.contracts import TokenContract
from cuckoo.chain.disputelog import Accusation, DisputesLog
from cuckoo.chain.disputes import Dispute, DisputesContract
from cuckoo.chain.reverts import Reverted
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import Wei, format_cai
from cuckoo.domain.dispute import Phase, finable
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.services.disputing.results import Result
from cuckoo.storage.verdicts import StoredVerdict

log = structlog.get_logger(__name__)

SEED_KEPT_BLOCKS = 256
"""So long a chain knows the hash that draws a jury."""

SEED_WAITED_BLOCKS = 128
"""Who accuses draws the jury when no juror has done so for so many blocks."""

QUICKEST_LOOK_S, SLOWEST_LOOK_S = 1.0, 30.0
_LOOKS_PER_PHASE = 10


class Docket:
    """Reads disputes. A restart finds those that can still be open by walking back from the newest one.

    Attributes:
        look_s: how often to look, in seconds.
        report_window_s, commit_s: of the network.
        running: the disputes that had not ended at the last look.
    """

    def __init__(self, client: ChainClient) -> None:
        """Bind to a network."""
        self._client = client
        self.contract = DisputesContract(client)
        self.log = DisputesLog(client)
        parameters = client.network.parameters
        rounds_s = 2 * (parameters.claim + parameters.commit + parameters.reveal)
        self._longest_s = rounds_s + parameters.appeal + parameters.buffer
        self.report_window_s = parameters.report_window
        self.commit_s = parameters.commit
        phases = (parameters.claim, parameters.commit, parameters.reveal)
        self.look_s = min(SLOWEST_LOOK_S, max(QUICKEST_LOOK_S, min(phases) / _LOOKS_PER_PHASE))
        self.running: set[int] = set()
        self._seen: int | None = None

    async def now(self) -> int:
        """Return the time of the newest block: what phases go by."""
        return (await self._client.block()).timestamp

    async def live(self) -> list[Dispute]:
        """Read those that have not ended, oldest first."""
        count = await self.contract.count()
        if self._seen is None:
            self._seen = await self._oldest(count) - 1
        self.running |= set(range(min(self._seen, count) + 1, count + 1))
        self._seen = count
        found = []
        for number in sorted(self.running):
            dispute = None
            with suppress(Reverted):  # a reorganisation may have taken it away
                dispute = await self.contract.dispute(number)
            if dispute is None or dispute.phase is Phase.ENDED:
                self.running.discard(number)
            else:
                found.append(dispute)
        return found

    async def _oldest(self, newest: int) -> int:
        since = await self.now() - self._longest_s
        while newest >= 1 and (await self.contract.round(newest, 0)).started_at >= since:
            newest -= 1
        return newest + 1

    async def same(self, dispute_id: int, fault_id: bytes) -> Dispute | None:
        """Read a dispute over a fault; None where that number is not about it (any more)."""
        try:
            dispute = await self.contract.dispute(dispute_id)
        except Reverted:
            return None
        return dispute if dispute.fault_id == fault_id else None

    async def accusation(self, dispute_id: int) -> Accusation:
        """Read what a dispute is about; raises ChainUnreachable, or InvalidField for what nobody can read."""
        first = await self.contract.round(dispute_id, 0)
        return await self.log.accusation(dispute_id, first.ticket)

    async def result(self, dispute: Dispute) -> Result:
        """Read the rounds of a dispute and what came of it."""
        number = dispute.dispute_id
        rounds = tuple([await self.contract.round(number, index) for index in range(dispute.rounds)])
        over = dispute.phase is Phase.ENDED
        ending = await self.log.ending(number, rounds[0].ticket) if over else None
        return Result(dispute=dispute, rounds=rounds, ending=ending)


class Court(Docket):
    """What an operator does in disputes; each act raises Reverted, ConfigError without gas, or TransientError."""

    def __init__(self, client: ChainClient, sender: Sender) -> None:
        """Bind to a network and a wallet."""
        super().__init__(client)
        self.sender = sender
        self._token = TokenContract(client)

    async def about(self, assignment: Assignment) -> int | None:
        """Find the newest dispute over a fault, whoever opened it."""
        found = await self.log.opened(assignment, await self.contract.fault_id(assignment))
        return found[-1] if found else None

    async def find(self, dispute_id: int, assignment: Assignment) -> Dispute | None:
        """Read a dispute over an assignment; None where that number is not about it (any more)."""
        return await self.same(dispute_id, await self.contract.fault_id(assignment))

    async def open(self, assignment: tuple[Assignment, bytes], receipt: tuple[Receipt, bytes]) -> int:
        """Accuse a miner, once for each fault, whenever this process dies; returns the dispute.

        Raises:
            ConfigError: the wallet has no CAI for the bond, or no gas.
        """
        fault_id = await self.contract.fault_id(assignment[0])
        await self._pledge(await self.contract.bond(fault_id), "accuse a miner")
        sent = await self.contract.open(self.sender, assignment, receipt, once=f"fault {fault_id.hex()}")
        return self.log.opened_in(sent["logs"])

    async def appeal(self, dispute_id: int) -> None:
        """Have a larger jury judge again."""
        await self._pledge(await self.contract.appeal_bond(), "appeal")
        await self.contract.appeal(self.sender, dispute_id)

    async def _pledge(self, bond_wei: Wei, doing: str) -> None:
        wallet_wei = await self._token.balance(self.sender.address)
        if wallet_wei < bond_wei:
            raise ConfigError(
                f"{doing}: the bond is {format_cai(bond_wei)} CAI and the wallet {self.sender.address} has "
                f"{format_cai(wallet_wei)}: send it some"
            )
        if await self._token.allowance(self.sender.address, self.contract.address) < bond_wei:
            await self._token.approve(self.sender, self.contract.address, bond_wei)

    async def commit(self, said: StoredVerdict, node: NodeId) -> None:
        """Commit a juror to what it says."""
        commitment = await self.contract.commitment(
            said.dispute, said.round, node, said.verdict, said.digest, said.salt
        )
        await self.contract.commit(self.sender, said.dispute, node, commitment, once=f"round {said.round}")

    async def reveal(self, said: StoredVerdict, node: NodeId) -> None:
        """Open what a juror has committed to."""
        await self.contract.reveal(
            self.sender,
            said.dispute,
            node,
            verdict=said.verdict,
            digest=said.digest,
            salt=said.salt,
            once=f"round {said.round}",
        )

    async def draw_late(self, dispute: Dispute) -> None:
        """Draw a round's jury when nobody has for long: its seed is known to the chain for 256 blocks only."""
        running = await self.contract.round(dispute.dispute_id, dispute.rounds - 1)
        if not running.seed_known and (await self._client.block()).number > running.ticket + SEED_WAITED_BLOCKS:
            await self.contract.draw_seed(self.sender, dispute.dispute_id)

    async def end(self, dispute: Dispute) -> None:
        """End a dispute whose time is over; somebody else may have been quicker."""
        try:
            await self.contract.execute(self.sender, dispute.dispute_id)
        except Reverted as refusal:
            if refusal.name != "PhaseWrong":
                raise

    async def fine(self, dispute: Dispute) -> None:
        """Take two fees a seat from jurors that were silent or outvoted in a dispute that has ended.

        Nobody is paid for it: it is what keeps jurors from guessing, so those who looked see to it.
        """
        number = dispute.dispute_id
        first = await self.contract.round(number, 0)
        for index, node in await self.log.jurors(number, first.ticket):
            seats = await self.contract.seats(number, index, node)
            if seats.settled or not finable(seats.verdict, dispute.outcome):
                continue
            try:
                await self.contract.settle_juror(self.sender, number, index, node)
            except Reverted as refusal:
                if refusal.name != "JurorSettled":  # somebody else may have been quicker
                    raise
            else:
                log.info("a juror is fined", dispute=number, juror=node, seats=seats.seats)

    async def take_bonds_back(self) -> None:
        """Withdraw what the wallet is owed."""
        owed_wei = await self.contract.owed(self.sender.address)
        if owed_wei:
            await self.contract.withdraw(self.sender)
            log.info("bonds came back", cai=format_cai(owed_wei), wallet=self.sender.address)
