"""An example for every body, made from its schema: each is a body that the API takes or gives."""

from typing import Any

_HEX_BYTES = 32
_BY_NAME: dict[str, Any] = {
    "prompt": "a red apple",
    "negative_prompt": "a frame",
    "model": "emoji-64",
    "scheduler": "",
    "size": "64x64",
    "output_format": "png",
    "output_compression": 90,
    "partial_images": 2,
    "user": "visitor 7",
    "safety_identifier": "visitor 7",
    "b64_json": "iVBORw0KGgo...",
    "url": "https://nest.example/v1/images/files/0f1e...",
    "width_px": 64,
    "height_px": 64,
    "pictures": 1,
    "steps": 24,
    "step": 12,
    "guidance": 5.0,
    "seed": 7,
    "task_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "miner_node": 2,
    "coordinator_node": 1,
    "node_id": 2,
    "odds": 0.25,
    "candidates": 4,
    "created_at": 1_790_000_000.0,
    "price_wei": "1250000000000000",
    "eta_p50_s": 2.5,
    "eta_p90_s": 4.0,
    "retry_after_s": 2.0,
    "version": 1,
    "chain_id": 31_337,
    "preview": "",
    "code": "invalid_field",
    "message": "width_px 63: must be 64 to 2,048, a multiple of 8",
    "field": "width_px",
    "limit": "must be 64 to 2,048, a multiple of 8",
    "reason": "out of memory",
    "name": "emoji-64",
    "title": "A small model that draws emoji",
    "origin": "https://coordinator.example",
    "receipt": "/v1/tasks/0f1e2d3c4b5a69788796a5b4c3d2e1f0/receipt",
}
_ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
_ADDRESSES = frozenset({"owner", "operator", "staking"})


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """Return a value that fits a schema.

    Args:
        schema: of OpenAPI 3.1, as on the wire.
        schemas: what its references refer to, by name.
        name: of the field that has it.
    """
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "properties" in schema:
        return {field: example_of(inner, schemas, field) for field, inner in schema["properties"].items()}
    if schema.get("type") == "array" or "prefixItems" in schema:
        return _items(schema, schemas, name)
    known = _known(schema, name)
    return _made_up(schema, schemas, name) if known is None else known


def _items(schema: dict[str, Any], schemas: dict[str, Any], name: str) -> list[Any]:
    if "prefixItems" in schema:
        return [example_of(inner, schemas, name) for inner in schema["prefixItems"]]
    inner = schema.get("items")
    if not isinstance(inner, dict) or schema.get("maxItems") == 0:
        return []
    return [example_of(inner, schemas, name)] * schema.get("minItems", 1)


def _known(schema: dict[str, Any], name: str) -> Any:
    """Return what a field of this name usually holds, where that has a type of the schema."""
    if "enum" in schema or "const" in schema or ("pattern" in schema and name != "task_id"):
        return None
    value = _ADDRESS if name in _ADDRESSES else _BY_NAME.get(name)
    kinds = {"str": "string", "int": "integer", "float": "number"}
    takes = {one.get("type") for one in (schema, *schema.get("anyOf", ()))}
    takes |= {inner.get("type") for one in schema.get("anyOf", ()) for inner in one.get("anyOf", ())}
    return value if kinds.get(type(value).__name__) in takes else None


def _made_up(schema: dict[str, Any], schemas: dict[str, Any], name: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, name)
    by_type = {
        "string": "ab" * _HEX_BYTES if "pattern" in schema else str(schema.get("default", name)),
        "integer": max(1, schema.get("minimum", 1)),
        "number": 1.0,
        "boolean": schema.get("default", True),
        "object": {},
    }
    return by_type.get(schema.get("type", ""))
