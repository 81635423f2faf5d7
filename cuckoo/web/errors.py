"""Every refusal in one shape: a code for programs, a sentence for people, the field and its limit.

Under /v1/images in the shape of OpenAI's API, with its status codes; under /sdapi in that of AUTOMATIC1111's.
"""

import asyncio
import math
import re

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from cuckoo.domain.errors import CuckooError, InvalidField, Overloaded, PeerFault, TermBlocked
from cuckoo.protocol.messages import ErrorBody
from cuckoo.protocol.openai import ErrorDetail, ErrorEnvelope
from cuckoo.protocol.sdapi import Refusal
from cuckoo.web.bodies import json_response

log = structlog.get_logger(__name__)

OPENAI_PATHS = "/v1/images/"
SD_PATHS = "/sdapi/"
_OPENAI_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded", 500: "server_error"}
_OPENAI_FIELDS = {"width_px": "size", "height_px": "size", "pictures": "n"}
_UNKNOWN_FIELD = re.compile("object contains unknown field `([^`]{1,100})`")
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_DRAINED_BYTES = 65_536
"""So much of a body that nobody reads is thrown away to keep the connection; more of it closes the connection."""

_HEARD_S = 1.0
"""How long the caller has to read why; its bytes wait in its own system meanwhile, and cost nothing here."""

_INTERNAL = "something went wrong here that is not your fault; it is in the server's log"


def _of(request: web.Request) -> dict[str, str]:
    """Return which task and attempt a path names, for the log."""
    return {name: request.match_info[name] for name in ("task", "attempt") if name in request.match_info}


def told(request: web.Request, body: ErrorBody, status: int) -> web.Response:
    """Answer with a refusal, in the shape that the caller's API has."""
    if request.path.startswith(SD_PATHS):
        return json_response(Refusal(error=body.code, detail=body.message, errors=body.message), status)
    if not request.path.startswith(OPENAI_PATHS):
        return json_response(body, status)
    field, code = _OPENAI_FIELDS.get(body.field, body.field), body.code
    if field == "model":
        status, code = 404, "model_not_found"
    elif unknown := _UNKNOWN_FIELD.search(body.message):
        status, field, code = 400, unknown[1], "unknown_parameter"
    elif status == InvalidField.http_status:
        status, code = 400, "moderation_blocked" if body.code == TermBlocked.code else "invalid_value"
    kind = "rate_limit_error" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    detail = ErrorDetail(message=body.message, type=kind, param=field or None, code=_OPENAI_CODES.get(status, code))
    return json_response(ErrorEnvelope(error=detail), status)


def refusal(request: web.Request, error: CuckooError) -> web.Response:
    """Turn one of our errors into an answer; what is not the caller's fault is told without detail."""
    if not isinstance(error, PeerFault):
        log.error("request failed", **_of(request), error=str(error), code=error.code)
        return told(request, ErrorBody(code=error.code, message=_INTERNAL), 503)
    body = ErrorBody(
        code=error.code,
        message=str(error),
        field=error.field if isinstance(error, InvalidField) else "",
        limit=error.limit if isinstance(error, InvalidField) else "",
        retry_after_s=error.retry_after_s if isinstance(error, Overloaded) else None,
    )
    response = told(request, body, error.http_status)
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
        return await _without_the_body(request, refusal(request, error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        message = f"{request.method} {request.path}: {error.reason}"
        response = told(request, ErrorBody(code=_CODES.get(error.status, "refused"), message=message), error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except ConnectionError:
        raise
    except Exception:
        log.exception("request crashed", method=request.method, path=request.path, **_of(request))
        return told(request, ErrorBody(code="internal", message=_INTERNAL), 500)


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
