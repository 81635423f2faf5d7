"""What an RPC endpoint's error means: try again, the endpoint's own refusal, or a contract's."""

from typing import Any

from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    BlockNotFound,
    ContractLogicError,
    MultipleFailedRequests,
    ProviderConnectionError,
    RequestTimedOut,
    TooManyRequests,
    Web3RPCError,
)

from cuckoo.chain.reverts import explain_revert
from cuckoo.domain.errors import CuckooError, TransientError

_PASSING = (
    OSError,
    TimeoutError,
    BadFunctionCallOutput,
    BadResponseFormat,
    BlockNotFound,
    MultipleFailedRequests,
    ProviderConnectionError,
    RequestTimedOut,
    TooManyRequests,
)


class RequestRefused(TransientError):
    """An endpoint answered with an error of its own: a range too wide, a block it does not have, a spent nonce."""

    code = "request_refused"


def is_passing(error: Exception) -> bool:
    """Whether a call may work when it is tried again, here or at another endpoint."""
    return isinstance(error, _PASSING) or type(error).__module__.split(".")[0] == "aiohttp"


def refusal(error: Exception, doing: str) -> CuckooError | None:
    """Tell an answer that is a refusal, by a contract or by the endpoint itself, from an error that is none.

    Args:
        error: what web3 raised.
        doing: what was being done, for the message.
    """
    if not isinstance(error, ContractLogicError | Web3RPCError):
        return None
    data = _revert_data(error)
    if data is not None:
        return explain_revert(data, doing)
    if is_passing(error):
        return None
    return RequestRefused(f"{doing}: the RPC endpoint says: {said(error)}")


def said(error: Exception) -> str:
    """Return an endpoint's own words, without the request that they answer."""
    response: Any = error.rpc_response if isinstance(error, Web3RPCError) else None
    answer = dict(response).get("error") if response else None
    words = str(answer.get("message", answer)) if isinstance(answer, dict) else str(error)
    return words or type(error).__name__


def _revert_data(error: Web3RPCError | ContractLogicError) -> bytes | None:
    data: Any = getattr(error, "data", None)
    if data is None and isinstance(error, Web3RPCError) and error.rpc_response is not None:
        data = dict(error.rpc_response.get("error", {})).get("data")
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x"):
        return bytes.fromhex(data[2:])
    return b"" if isinstance(error, ContractLogicError) else None
