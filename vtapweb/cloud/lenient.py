"""Reading an object of ARM's that the strict decoder refused: whatever can be understood is, the rest stays in `raw`.

Survives nulls, wrong types, missing and unknown properties, any casing of their names, one value where a list belongs, properties beside
`properties` instead of inside (and the other way round), broken escapes and bytes that are no UTF-8. For what the strict decoder accepts the
result is the same (a property test holds the two together).
"""

import json
import re
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, Struct, UnsetType

S = TypeVar("S", bound=Struct)

_JSON_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class NotAnObjectError(ValueError):
    """The item is no JSON object, or an object without a text where an id must be."""


def read(wire: type[S], raw: bytes) -> S:
    """The item as `wire` has it. Raises NotAnObjectError when the JSON is no object or what `wire` requires is not there."""
    try:
        document = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotAnObjectError("it is no JSON, or nested too deeply") from error
    if not isinstance(document, dict):
        raise NotAnObjectError(f"it is no JSON object but {_kind_of(document)}")
    built: S = _struct(wire, document)
    return built


def spans(body: bytes) -> dict[str, list[bytes] | Any]:
    """A page whose JSON the strict decoder refused, taken apart at its top level: lists as their items' exact bytes, other values decoded.

    Raises ValueError when the page itself is cut short or no JSON object.
    """
    text = body.decode("latin-1")  # one character a byte, so that positions are those of the bytes
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("the body is no JSON object")
    found: dict[str, list[bytes] | Any] = {}
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _expect(text, at, ":")
        if text[at : at + 1] == "[":
            found[str(name)], at = _items(body, text, at)
        else:
            found[str(name)], at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            break
        at = _expect(text, at, ",")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the page")
    return found


def _items(body: bytes, text: str, at: int) -> tuple[list[bytes], int]:
    items: list[bytes] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        _, end = _DECODER.raw_decode(text, at)
        items.append(body[at:end])
        at = _skip(text, end)
        if text[at : at + 1] != "]":
            at = _expect(text, at, ",")
    return items, at + 1


def _skip(text: str, at: int) -> int:
    match = _JSON_SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"the page is cut short or no JSON at byte {at}")
    return _skip(text, at + 1)


def _kind_of(value: object) -> str:
    return {str: "a text", list: "a list", bool: "true or false", NoneType: "null"}.get(type(value), "a number")


class _Field(NamedTuple):
    attribute: str
    name: str  # on the wire
    folded: str
    hint: Any
    is_required: bool


@cache
def _fields(wire: type[Struct]) -> tuple[_Field, ...]:
    """Every field that we read (not those that are only kept)."""
    hints = get_type_hints(wire)
    return tuple(
        _Field(field.name, field.encode_name, field.encode_name.lower(), _without_none(hints[field.name]), field.required)
        for field in msgspec.structs.fields(wire)
        if hints[field.name] != (Raw | UnsetType)
    )


@cache
def _properties_type(wire: type[Struct]) -> Any:
    """The type of `properties`, None where the object has none that we read."""
    return next((field.hint for field in _fields(wire) if field.name == "properties"), None)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in {Union, UnionType}:
        return next(part for part in get_args(hint) if part is not NoneType)
    return hint


class _Object:
    """A JSON object whose properties are found under any casing, the exact one first."""

    __slots__ = ("exact", "folded")

    def __init__(self, content: dict[str, Any]) -> None:
        self.exact = content
        self.folded: dict[str, list[Any]] = {}
        for key, value in content.items():
            if value is not None:
                self.folded.setdefault(key.lower(), []).append(value)

    def find(self, field: _Field) -> Any:
        """The first value that can be taken for what the field holds, else None."""
        exact = self.exact.get(field.name)
        if exact is not None and (understood := _coerce(field.hint, exact)) is not None:
            return understood
        for value in self.folded.get(field.folded, ()):
            if value is not exact and (understood := _coerce(field.hint, value)) is not None:
                return understood
        return None


_NOTHING = _Object({})


def _struct(wire: type[Struct], content: dict[str, Any]) -> Any:
    """The object as `wire` has it. Its properties may lie beside `properties`, and what belongs beside may lie inside."""
    own, properties_type = _Object(content), _properties_type(wire)
    inside = next((value for value in own.folded.get("properties", ()) if isinstance(value, dict)), None) if properties_type else None
    inner = _Object(inside) if inside is not None else _NOTHING
    values: dict[str, Any] = {}
    for field in _fields(wire):
        if field.name == "properties":
            values[field.attribute] = _properties(properties_type, inner, own)
            continue
        value = own.find(field)
        if value is None and inner is not _NOTHING:
            value = inner.find(field)
        if value is None and field.is_required:
            raise NotAnObjectError(f"it has no {field.name}")
        values[field.attribute] = value
    return wire(**values)


def _properties(wire: type[Struct], inner: _Object, own: _Object) -> Any:
    values: dict[str, Any] = {}
    for field in _fields(wire):
        value = inner.find(field)
        values[field.attribute] = own.find(field) if value is None else value
    return wire(**values)


def _coerce(hint: Any, value: Any) -> Any:
    """`value` as `hint`, or None where it cannot be taken for one."""
    if value is None:
        return None
    if hint is str:
        return _text(value)
    if hint is bool:
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).strip().lower())
    if hint is int:
        return _whole_number(value)
    if get_origin(hint) is list:
        (inner,) = get_args(hint)
        understood = (_coerce(inner, one) for one in (value if isinstance(value, list) else [value]))
        return [one for one in understood if one is not None]
    if get_origin(hint) is dict:
        return {_clean(key): _text(one) or "" for key, one in value.items()} if isinstance(value, dict) else None
    return _struct(hint, value) if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def _clean(text: str) -> str:
    """Without what no database and no encoder takes: lone surrogates and NUL become U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _whole_number(value: Any) -> int | None:
    """A whole number that fits 32 bits, from a number or a text."""
    if isinstance(value, bool):
        return None
    try:
        number = value if isinstance(value, int | float) else int(str(value).strip())
        whole = int(number)
    except (ValueError, OverflowError):
        return None
    return whole if whole == number and -(2**31) <= whole < 2**31 else None
