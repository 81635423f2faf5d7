"""Acts that this program signs for its owner, one after the other, each once however often a page asks."""

import asyncio
import re
import secrets
from collections import OrderedDict

import structlog
from msgspec.structs import replace

from cuckoo.chain.transactions import Sends
from cuckoo.domain.errors import ConfigError, CuckooError, InvalidField, NotFound, Overloaded
from cuckoo.protocol.acts import Act, ActState
from cuckoo.services.staking.acts import Acts

log = structlog.get_logger(__name__)

KEPT = 200
"""Acts whose outcome can be asked for."""

PENDING_MAX = 20
_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
_AGAIN_S = 5.0


class SigningDesk:
    """Carries out what pages on this machine ask for.

    Attributes:
        address: of the key that signs.
        token: what a page has to show, so that no page of another address can ask.
    """

    def __init__(self, acts: Acts, sender: Sends) -> None:
        """Take the use cases and the key."""
        self._acts = acts
        self._sender = sender
        self.address = sender.address
        self.token = secrets.token_urlsafe(32)
        self._states: OrderedDict[str, ActState] = OrderedDict()
        self._waiting: asyncio.Queue[tuple[str, Act]] = asyncio.Queue(PENDING_MAX)

    def begin(self, name: str, act: Act) -> ActState:
        """Take an act in; the same name again gives how the first one stands.

        Args:
            name: of this very act, by the page: 8 to 64 letters, digits and dashes.
            act: what to do.

        Raises:
            InvalidField: it is no such name.
            Overloaded: too many wait.
        """
        if not _ID.fullmatch(name):
            raise InvalidField("id", name, "must be 8 to 64 letters, digits and dashes")
        if name in self._states:
            return self._states[name]
        state = ActState(id=name, action=act.action, state="pending")
        try:
            self._waiting.put_nowait((name, act))
        except asyncio.QueueFull:
            raise Overloaded(f"sign: {PENDING_MAX} acts wait already", _AGAIN_S) from None
        self._states[name] = state
        while len(self._states) > KEPT:
            self._states.popitem(last=False)
        return state

    def get(self, name: str) -> ActState:
        """Tell how an act stands; raises NotFound."""
        if name not in self._states:
            raise NotFound(f"read act {name[:64]}: there is none, or this program was started again since")
        return self._states[name]

    async def run(self) -> None:
        """Carry out what comes, until cancelled."""
        while True:
            name, act = await self._waiting.get()
            state = self._states[name]
            try:
                answers = await self._acts.carry_out(act, self._sender)
            except (ConfigError, CuckooError) as error:
                log.warning("act failed", action=state.action, reason=str(error))
                self._states[name] = replace(state, state="failed", error=str(error))
            else:
                self._states[name] = replace(
                    state,
                    state="done",
                    transactions=tuple(one.transaction for one in answers),
                    outcome=tuple(one.detail for one in answers),
                )
