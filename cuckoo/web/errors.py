"""Every refusal in one shape: a code for programs, a sentence for people, the field and its limit."""

import asyncio
import math

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from cuckoo.domain.errors import CuckooError, InvalidField, Overloaded, PeerFault
from cuckoo.protocol.messages import ErrorBody
from cuckoo.web.bodies import json_response

log = structlog.get_logger(__name__)

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_DRAINED_BYTES = 65_536
"""So much of a body that nobody reads is thrown away to keep the connection; more of it closes the connection."""

_HEARD_S = 1.0
"""How long the caller has to read why; its bytes wait in its own system meanwhile, and cost nothing here."""

_INTERNAL = "something went wrong here that is not your fault; it is in the server's log"


def refusal(error: CuckooError) -> web.Response:
    """Turn one of our errors into an answer; what is not the caller's fault is told without detail."""
    if not isinstance(error, PeerFault):
        log.error("request failed", error=str(error), code=error.code)
        return json_response(ErrorBody(code=error.code, message=_INTERNAL), 503)
    body = ErrorBody(
        code=error.code,
        message=str(error),
        field=error.field if isinstance(error, InvalidField) else "",
        limit=error.limit if isinstance(error, InvalidField) else "",
        retry_after_s=error.retry_after_s if isinstance(error, Overloaded) else None,
    )
    response = json_response(body, error.http_status)
    if isinstance(error, Overloaded):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error of a handler, and aiohttp's own, in our shape."""
    try:
        return await handler(request)
    except CuckooError as error:
        return await _without_the_body(request, refusal(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        message = f"{request.method} {request.path}: {error.reason}"
        response = json_response(ErrorBody(code=_CODES.get(error.status, "refused"), message=message), error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except ConnectionError:
        raise
    except Exception:
        log.exception("request crashed", method=request.method, path=request.path)
        return json_response(ErrorBody(code="internal", message=_INTERNAL), 500)


async def _without_the_body(request: web.Request, response: web.Response) -> web.Response:
    """Answer before the body is there. A long one is never read: the connection ends once the answer is out."""
    coming = request.content_length if request.content_length is not None else _DRAINED_BYTES + 1
    if not request.can_read_body or request.content.is_eof() or coming <= _DRAINED_BYTES or request.transport is None:
        return response
    response.force_close()
    request.transport.pause_reading()
    await response.prepare(request)
    await response.write_eof()
    await asyncio.sleep(_HEARD_S)
    request.protocol.force_close()
    return response
