"""The OpenAPI 3.1 description of a coordinator, made from the routes and messages themselves."""

import inspect
import json
import re
from typing import Any

import msgspec

from cuckoo import __version__
from cuckoo.domain.task import (
    GUIDANCE_MAX_THOUSANDTHS,
    PICTURES_MAX,
    PROMPT_MAX,
    SCHEDULERS,
    SEED_MAX,
    SIDE_MAX_PX,
    SIDE_MIN_PX,
    SIDE_STEP_PX,
    STEPS_MAX,
)
from cuckoo.protocol.messages import ErrorBody
from cuckoo.protocol.routes import ROUTES, Caller, Route
from cuckoo.protocol.views import TaskEvent
from cuckoo.web.examples import example_of

_REFERENCE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"{(\w+)}")
_HEX = {"type": "string", "pattern": "^([0-9a-f]{2})*$", "description": "bytes as lower-case hex"}
_LARGE = re.compile(r"(_wei|seed|price|cumulative)$")
_LARGE_INTEGER = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+$"}]}
_PATH_TYPES: dict[str, dict[str, Any]] = {
    "task": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    "attempt": {"type": "integer", "minimum": 1, "maximum": 65_535},
    "index": {"type": "string", "pattern": r"^[0-7](\.png)?$"},
    "period": {"type": "integer", "minimum": 0, "maximum": 2**40},
    "dispute": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "challenge": {"type": "integer", "minimum": 1, "maximum": 2**53},
    "token": {"type": "string", "pattern": r"^[0-9a-f.]{1,120}$"},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "the same key and body again give what the first request gave",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}
_QUERY: dict[str, list[dict[str, Any]]] = {
    "list_miners": [
        {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1_000}},
    ],
    "submit_task": [_IDEMPOTENCY_KEY],
    "submit_batch": [_IDEMPOTENCY_KEY],
}
_PACKED = {"type": "string", "description": "bytes with this sha256: a packed picture, or a list of LoRAs"}
_BODILESS = {
    "task_events": ("text/event-stream", {"type": "string", "description": "events whose data is a TaskEvent"}),
    "task_picture": ("image/png", {"type": "string", "contentMediaType": "image/png"}),
    "dispute_picture": ("image/png", {"type": "string", "contentMediaType": "image/png"}),
    "dispute_input": ("application/octet-stream", _PACKED),
    "input": ("application/octet-stream", _PACKED),
    "image_file": ("image/png", {"type": "string", "contentMediaType": "image/png"}),
    "sd_interrupt": ("application/json", {"type": "object"}),
    "sd_models": ("application/json", {"type": "array"}),
    "sd_samplers": ("application/json", {"type": "array"}),
    "sd_options": ("application/json", {"type": "object"}),
    "sd_scripts": ("application/json", {"type": "object"}),
    "metrics": ("text/plain", {"type": "string"}),
    "openapi": ("application/json", {"type": "object"}),
    "reference": ("text/html", {"type": "string"}),
}
_EDIT_FORM: dict[str, Any] = {
    "title": "EditForm",
    "description": "The fields of ImagesRequest, with two files.",
    "type": "object",
    "required": ["image", "prompt"],
    "properties": {
        "image": {"type": "string", "description": "a PNG, JPEG or WebP file"},
        "mask": {"type": "string", "description": "likewise, transparent where the picture is drawn anew"},
        "prompt": {"type": "string", "maxLength": PROMPT_MAX},
        "model": {"type": "string"},
        "n": {"type": "integer", "minimum": 1, "maximum": PICTURES_MAX},
        "size": {"type": "string"},
        "stream": {"type": "boolean"},
    },
}
_SUMMARIES = {
    "sign_in": "Ask to sign in as a miner; the coordinator signs first",
    "open_session": "Prove to be the miner and open a session",
    "sign_out": "End the session",
    "poll": "Offer a free slot and wait for an assignment; 204 when none came",
    "progress": "Report a step; the answer says whether to stop",
    "result": "Upload pictures and the signed receipt",
    "input": "Read what a task is made from besides its text",
    "failure": "Report that an attempt brings no result",
    "challenge": "Show latents of a result that is being checked",
    "missed": "Read which tasks of the last hour went to other miners, and why",
    "submit_task": "Ask for pictures",
    "submit_batch": "Ask for pictures of several kinds at once; all are taken in, or none",
    "get_task": "Read a task",
    "cancel_task": "Take a task back",
    "task_events": "Follow a task by server-sent events",
    "task_picture": "Read a picture",
    "task_receipt": "Read the signed receipt of a task that is done",
    "create_image": "Ask for pictures as OpenAI's API has it, and wait for them",
    "edit_image": "Ask for an edited picture as OpenAI's API has it, and wait for it",
    "img2img": "Ask for pictures of a picture as AUTOMATIC1111's API has it, and wait for them",
    "txt2img": "Ask for pictures as AUTOMATIC1111's API has it, and wait for them",
    "sd_progress": "Read how far the newest of the caller's requests is",
    "sd_interrupt": "Take that one back",
    "sd_models": "List the models by AUTOMATIC1111's fields",
    "sd_samplers": "List the samplers by AUTOMATIC1111's names",
    "sd_options": "Read which model stands",
    "sd_scripts": "List scripts: there are none",
    "image_file": "Read a picture by a link that holds for an hour",
    "list_models": "List the models that tasks may name",
    "get_network": "Read which network this is, and how busy this coordinator",
    "list_miners": "List registered miners, their stake, their work here",
    "get_demand": "Read which models apps asked for, at which prices, and how many miners serve them",
    "get_draws": "Read the draw log and seed of a closed period",
    "list_disputes": "List the disputes whose evidence is here",
    "get_dispute": "Read what jurors judge: assignment, receipt, signatures, and which pictures",
    "dispute_picture": "Read a picture that jurors judge",
    "dispute_input": "Read what jurors make a disputed result again from",
    "file_evidence": "Show jurors a task whose evidence is not here: what the accused was given and made of it",
    "report": "Report a picture to the operator",
    "healthz": "Ask whether the process lives",
    "readyz": "Ask whether tasks are taken and drawn for",
    "metrics": "Read Prometheus metrics",
    "openapi": "Read this description",
    "reference": "Read this description as a page",
}


def openapi_document() -> bytes:
    """Return the description as JSON.

    Source: OpenAPI Specification 3.1.0.
    """
    kinds = {kind for route in ROUTES for kind in (route.request, route.reply) if kind is not None}
    types = [*sorted(kinds, key=lambda kind: kind.__name__), ErrorBody, TaskEvent]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    schemas["TaskRequest"] = _with_limits(schemas["TaskRequest"])
    schemas = {name: _described(_as_on_the_wire(schema)) for name, schema in schemas.items()}
    schemas["EditForm"] = _EDIT_FORM
    _add_examples(paths, schemas)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Cuckoo coordinator",
            "version": __version__,
            "description": "Pictures made by other people's GPUs, with receipts. Amounts are wei.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "externalDocs": {"description": "the same as a page", "url": "/docs"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "description": "of a miner that signed in"},
                "key": {"type": "http", "scheme": "bearer", "description": "API key; none where access is open"},
            },
        },
    }
    return msgspec.json.encode(document)


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": _SUMMARIES[route.name],
        "tags": ["miners" if route.path.startswith("/miner/") else "apps"],
        "responses": {**_success(route), "default": _content("a refusal", "application/json", _reference(ErrorBody))},
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_TYPES[name]}
        for name in _PARAMETER.findall(route.path)
    ] + _QUERY.get(route.name, [])
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        kind = "application/msgpack" if route.binary else "application/json"
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": _reference(route.request)}}}
    if route.name == "edit_image":
        operation["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": {"schema": {"$ref": _REFERENCE.format(name="EditForm")}}},
        }
    if route.caller is Caller.MINER:
        operation["security"] = [{"session": []}]
    if route.caller is Caller.APP:
        operation["security"] = [{"key": []}, {}]
    return operation


def _add_examples(paths: dict[str, dict[str, Any]], schemas: dict[str, Any]) -> None:
    """Put an example beside every schema of a body that is no file."""
    for operation in (one for path in paths.values() for one in path.values()):
        for body in (operation.get("requestBody", {}), *operation["responses"].values()):
            for kind, content in body.get("content", {}).items():
                if "$ref" in content["schema"]:
                    content["example"] = example_of(content["schema"], schemas)
                elif kind == "text/event-stream":
                    event = json.dumps(example_of(schemas["TaskEvent"], schemas))
                    content["example"] = f"event: queued\ndata: {event}\n\n"


def _described(schema: Any) -> Any:
    """Move what a struct says about its fields to the fields themselves."""
    text, found, listed = inspect.cleandoc(schema.get("description", "")).partition("\n\nAttributes:\n")
    if "properties" not in schema:
        return schema
    told: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", inspect.cleandoc(listed)) if found else ():
        for part in re.split(r"; (?=\w+(?:, \w+)*: )", " ".join(entry.split())):
            names, _, meaning = part.partition(": ")
            told |= dict.fromkeys(names.split(", "), meaning)
    properties = {
        name: field | ({"description": told[name]} if name in told and "$ref" not in field else {})
        for name, field in schema["properties"].items()
    }
    return schema | {"description": " ".join(text.split()), "properties": properties}


def _success(route: Route) -> dict[str, Any]:
    if route.reply is None:
        return {"200": _content(_SUMMARIES[route.name], *_BODILESS[route.name])}
    kind = "application/msgpack" if route.binary else "application/json"
    answer = _content(route.reply.__name__, kind, _reference(route.reply))
    if route.name in ("submit_task", "submit_batch"):
        return {"200": answer, "201": answer}
    if route.name == "poll":
        return {"200": answer, "204": {"description": "no assignment came"}}
    return {"200": answer}


def _content(description: str, kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _reference(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def _as_on_the_wire(schema: Any, name: str = "") -> Any:
    """Say hex where msgspec says base64, and decimal strings where an integer may exceed 2**53: see ``encode_json``."""
    if isinstance(schema, list):
        return [_as_on_the_wire(item, name) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("contentEncoding") == "base64":
        return _HEX | ({"default": ""} if "default" in schema else {})
    if schema.get("type") == "integer" and _LARGE.search(name):
        return _LARGE_INTEGER | {key: value for key, value in schema.items() if key != "type"}
    return {
        key: {field: _as_on_the_wire(value, field) for field, value in inner.items()}
        if key == "properties"
        else _as_on_the_wire(inner, name)
        for key, inner in schema.items()
    }


def _with_limits(request: dict[str, Any]) -> dict[str, Any]:
    """Write the limits of a task into the schema of the request."""
    side = {"minimum": SIDE_MIN_PX, "maximum": SIDE_MAX_PX, "multipleOf": SIDE_STEP_PX}
    text = {"maxLength": PROMPT_MAX}
    limits: dict[str, dict[str, Any]] = {
        "prompt": text,
        "negative_prompt": text,
        "width_px": side,
        "height_px": side,
        "pictures": {"minimum": 1, "maximum": PICTURES_MAX},
        "steps": {"minimum": 1, "maximum": STEPS_MAX},
        "guidance": {"minimum": 0, "maximum": GUIDANCE_MAX_THOUSANDTHS / 1_000},
        "scheduler": {"enum": ["", *SCHEDULERS]},
        "seed": {"minimum": 0, "maximum": SEED_MAX - PICTURES_MAX},
        "strength": {"exclusiveMinimum": 0, "maximum": 1},
    }
    properties = {name: schema | limits.get(name, {}) for name, schema in request["properties"].items()}
    return request | {"properties": properties}
