"""The page that describes the API to people: made once, from the OpenAPI description; loads nothing from anywhere."""

import base64
import hashlib
import json
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

_TAGS = {"apps": "For apps", "miners": "For miners"}


class Reference:
    """The page and the headers that it is served with.

    Attributes:
        page: HTML.
        headers: a policy under which a browser runs no script and asks for nothing else.
    """

    def __init__(self, openapi: bytes) -> None:
        """Write the page; ``openapi``: the description as JSON."""
        document = json.loads(openapi)
        folder = resources.files("cuckoo.web")
        style = (folder / "reference.css").read_text(encoding="utf-8")
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        environment.filters.update(pretty=_pretty, kind=_kind, limits=_limits)
        template = environment.from_string((folder / "reference.html").read_text(encoding="utf-8"))
        schemas = document["components"]["schemas"]
        self.page = template.render(
            info=document["info"],
            style=style,
            chapters=_chapters(document["paths"]),
            schemas={name: schema for name, schema in schemas.items() if "properties" in schema or "enum" in schema},
        )
        digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
        self.headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'sha256-{digest}'; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }


def _chapters(paths: dict[str, Any]) -> list[dict[str, Any]]:
    chapters: dict[str, list[dict[str, Any]]] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            one = operation | {"method": method.upper(), "path": path}
            chapters.setdefault(operation["tags"][0], []).append(one)
    return [{"title": _TAGS.get(tag, tag), "operations": found} for tag, found in chapters.items()]


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _kind(schema: dict[str, Any]) -> str:
    """Say in a word or two what a schema takes."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        items = schema.get("items")
        return f"list of {_kind(items)}" if isinstance(items, dict) else "list"
    if schema.get("description") == "bytes as lower-case hex":
        return "hex"
    return str(schema.get("type", "any"))


def _limits(schema: dict[str, Any]) -> str:
    """Say which values a schema takes, and what stands where nothing is sent."""
    said = []
    if "minimum" in schema or "maximum" in schema:
        said.append(f"{schema.get('minimum', '')} to {schema.get('maximum', '')}")
    if "multipleOf" in schema:
        said.append(f"in steps of {schema['multipleOf']}")
    if "maxLength" in schema:
        said.append(f"at most {schema['maxLength']} characters")
    if "minItems" in schema or "maxItems" in schema:
        said.append(f"{schema.get('minItems', 0)} to {schema.get('maxItems', '')} of them")
    if "enum" in schema:
        said.append(", ".join(json.dumps(one) for one in schema["enum"]))
    if schema.get("default") not in (None, ""):
        said.append(f"default {json.dumps(schema['default'])}")
    return "; ".join(said)
