"""The shapes that JSON and MessagePack bodies have before hex and decimal strings are read.

A body is decoded into its shape and nothing else: what does not belong there is refused, or skipped, before anything is
built from it. Decoding without a type would let a megabyte of ``{},{},{}`` become thirty of dictionaries.
"""

from functools import cache
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec


@cache
def shape_of(kind: Any, *, hexed: bool) -> type[msgspec.Struct]:
    """Make the struct of a body: integers may be decimal strings, and bytes are hex where ``hexed``.

    Fields that a body may leave out are unset, so that ``msgspec.to_builtins`` leaves them out as well.
    """
    fields: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(kind):
        shape = _shape(field.type, hexed)
        if field.required:
            fields.append((field.encode_name, shape, msgspec.NODEFAULT))
        else:
            fields.append((field.encode_name, shape | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct(
        kind.__name__,
        fields,
        kw_only=True,
        forbid_unknown_fields=kind.__struct_config__.forbid_unknown_fields,
    )


def _shape(kind: Any, hexed: bool) -> Any:
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *notes = get_args(kind)
        return Annotated[_shape(inner, hexed), *notes]
    if origin in (UnionType, Union):
        return Union[tuple(_shape(option, hexed) for option in get_args(kind))]  # noqa: UP007 - of a list
    if origin is tuple:
        return GenericAlias(tuple, (_shape(get_args(kind)[0], hexed), ...))
    plain = getattr(kind, "__supertype__", kind)
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        return shape_of(plain, hexed=hexed)
    simple = {int: int | str, bytes: str if hexed else bytes, NoneType: None}
    return simple.get(plain, kind)


def without_notes(kind: Any) -> Any:
    """Return a type without what ``Annotated`` says about it, and of an optional type the one that is not None."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (UnionType, Union):
            kind = next(option for option in get_args(kind) if option is not NoneType)
        else:
            return kind
