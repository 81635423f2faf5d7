"""Every error of Cuckoo, in one tree, by whose fault it is.

::

    CuckooError
      ConfigError            the user must change something; exit code 2
        AmountInvalid        an amount of CAI that can not be read
      TransientError         trying again may help; retried with back-off
        ChainUnreachable     no RPC endpoint answers
        CoordinatorUnreachable
        WorkerDied           the GPU child died while it ran a job
      PeerFault              the other side did wrong; it is told, and penalised where that is due
        InvalidField         a field of a request is outside its limit
          TermBlocked        a prompt with a term that this coordinator does not draw
        UnknownVersion       a message of a protocol version that we do not speak
        SignatureInvalid     a signature that is not by whom it should be
          OfferExpired       a sign-in that comes too late
          OfferUsed          a sign-in that came before
        NotEligible          a node whose stake carries no weight
        NotFound             no such task, picture, node or session
          TakenDown          a picture that was there, and that the operator shows no longer
        Conflict             the request contradicts what is already stored
        NotSignedIn          no session, or an expired one
        KeyRefused           no API key, or one that is not valid
        BodyTooLarge         more bytes than a route takes
        BodyTooSlow          a body that trickles in
        WrongContentType     a body that says it is something else than the route takes
        Overloaded           a queue is full; carries the seconds after which to try again
          LimitReached       the caller's own limit, not that of the whole coordinator
          Unavailable        this process is starting or stopping: another one, or later
      FatalError             this role can not go on; it stops

A message says what was being done, with which value, what the limit is and what to do next.
"""


class CuckooError(Exception):
    """Root of all errors that Cuckoo raises on purpose."""

    code = "error"


class ConfigError(CuckooError):
    """Something the user must change: a flag, a file, a balance. Exit code 2."""

    code = "config"


class AmountInvalid(ConfigError):
    """An amount of CAI that can not be read exactly."""

    code = "amount_invalid"


class TransientError(CuckooError):
    """A fault that may pass: retried with back-off."""

    code = "transient"


class ChainUnreachable(TransientError):
    """No RPC endpoint gave an answer."""

    code = "chain_unreachable"


class CoordinatorUnreachable(TransientError):
    """The coordinator's server gave no answer."""

    code = "coordinator_unreachable"


class WorkerDied(TransientError):
    """The child process of a device died while it ran a job."""

    code = "worker_died"


class PeerFault(CuckooError):
    """The other side did wrong."""

    code = "peer_fault"
    http_status = 400


class InvalidField(PeerFault):
    """A field whose value is outside its limit."""

    code = "invalid_field"
    http_status = 422

    def __init__(self, field: str, value: object, limit: str, *, message: str = "") -> None:
        """Name the field, the value that was given, and the limit it breaks; ``message``: as the other side put it."""
        shown = repr(value)
        if len(shown) > 80:
            shown = f"{shown[:77]}..."
        super().__init__(message or f"{field}: {shown} is refused: {limit}")
        self.field = field
        self.value = shown
        self.limit = limit


class TermBlocked(InvalidField):
    """A prompt contains a term that this coordinator does not draw."""

    code = "blocked_term"


class UnknownVersion(PeerFault):
    """A message of a protocol version that we do not speak."""

    code = "unknown_version"


class SignatureInvalid(PeerFault):
    """A signature that is not by the key it should be by."""

    code = "signature_invalid"
    http_status = 403


class OfferExpired(SignatureInvalid):
    """A sign-in whose time is over: ask for a new offer."""

    code = "offer_expired"


class OfferUsed(SignatureInvalid):
    """A sign-in that was used before: ask for a new offer."""

    code = "offer_used"


class NotEligible(PeerFault):
    """A node that is registered, and whose stake carries no weight."""

    code = "not_eligible"
    http_status = 403


class NotFound(PeerFault):
    """No such task, picture, node or session."""

    code = "not_found"
    http_status = 404


class TakenDown(NotFound):
    """A picture that the operator has taken down: nobody gets it here any more."""

    code = "taken_down"
    http_status = 451


class Conflict(PeerFault):
    """The request contradicts what is already stored."""

    code = "conflict"
    http_status = 409


class NotSignedIn(PeerFault):
    """No session, or one that has expired: sign in again."""

    code = "not_signed_in"
    http_status = 401


class KeyRefused(PeerFault):
    """No API key where one is needed, or one that is not valid."""

    code = "key_refused"
    http_status = 401


class Overloaded(PeerFault):
    """A queue of the whole process is full: try again after ``retry_after_s``."""

    code = "overloaded"
    http_status = 503

    def __init__(self, message: str, retry_after_s: float) -> None:
        """Carry the seconds after which another try makes sense."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LimitReached(Overloaded):
    """What the caller itself may use is used up: try again after ``retry_after_s``."""

    code = "limit_reached"
    http_status = 429


class Unavailable(Overloaded):
    """This process is not ready yet, or is stopping: try again after ``retry_after_s``."""

    code = "unavailable"
    http_status = 503


class BodyTooLarge(PeerFault):
    """A request's body, or an answer, has more bytes than the limit."""

    code = "body_too_large"
    http_status = 413


class BodyTooSlow(PeerFault):
    """A request's body arrives more slowly than the limit."""

    code = "body_too_slow"
    http_status = 408


class WrongContentType(PeerFault):
    """A body whose Content-Type is not what the route takes."""

    code = "wrong_content_type"
    http_status = 415


class OriginRefused(PeerFault):
    """A page of another address, which may not send this."""

    code = "origin_refused"
    http_status = 403


class FatalError(CuckooError):
    """This role can not go on: it stops, and its supervisor says why."""

    code = "fatal"
