"""The shapes that JSON and MessagePack bodies have before hex and decimal strings are read.

A body is decoded into its shape and nothing else: what does not belong there is refused, or skipped, before anything is
built from it. Decoding without a type would let a megabyte of ``{},{},{}`` become thirty of dictionaries.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, cast, get_args, get_origin

import msgspec

from cuckoo.domain.errors import InvalidField

_DIGITS_MAX = 80


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


_Read: TypeAlias = Callable[[Any], Any]


def read_texts(raw: Any, kind: Any, *, hexed: bool) -> Any:
    """Read the texts among plain values as what a type has in their places: hex as bytes, digits as integers.

    Raises:
        InvalidField: bytes that are not hex digits; names where. All else that does not fit is left for msgspec.
    """
    read = _reader(cast("Any", kind), hexed=hexed)
    return raw if read is None else read(raw)


@cache
def _reader(kind: Any, *, hexed: bool) -> _Read | None:
    """Make what reads the texts of a type; None where it has none."""
    kind = _without_notes(kind)
    if get_origin(kind) is tuple:
        item = _reader(get_args(kind)[0], hexed=hexed)
        return None if item is None else partial(_read_items, item)
    if kind is bytes:
        return _bytes_from_hex if hexed else None
    if getattr(kind, "__supertype__", kind) is int:
        return _integer_from_text
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return None
    fields = [
        (field.encode_name, read)
        for field in msgspec.structs.fields(kind)
        if (read := _reader(field.type, hexed=hexed)) is not None
    ]
    return partial(_read_fields, fields) if fields else None


def _read_fields(fields: Sequence[tuple[str, _Read]], raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    values = dict(raw)
    for name, read in fields:
        if name in values:
            try:
                values[name] = read(values[name])
            except _NoHexError as error:
                raise _NoHexError(error.text, f"{name}{error.below}") from None
    return values


def _read_items(read: _Read, raw: Any) -> Any:
    if not isinstance(raw, list | tuple):
        return raw
    values = []
    for at, one in enumerate(raw):
        try:
            values.append(read(one))
        except _NoHexError as error:
            raise _NoHexError(error.text, f"[{at}]{error.below}") from None
    return values


class _NoHexError(InvalidField):
    """A text that should be hex digits, and the place of it below where it was met."""

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__(place or "body", text, "must be bytes, written as hex digits")
        self.text = text
        self.below = f".{place}" if place and not place.startswith("[") else place


def _bytes_from_hex(raw: Any) -> Any:
    if not isinstance(raw, str):
        return raw
    try:
        return bytes.fromhex(raw)
    except ValueError:
        raise _NoHexError(raw) from None


def _integer_from_text(raw: Any) -> Any:
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) < _DIGITS_MAX:
        return int(raw)
    return raw


def _without_notes(kind: Any) -> Any:
    """Return a type without what ``Annotated`` says about it, and of an optional type the one that is not None."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (UnionType, Union):
            kind = next(option for option in get_args(kind) if option is not NoneType)
        else:
            return kind
