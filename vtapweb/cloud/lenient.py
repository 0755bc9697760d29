"""Reading an object of ARM's that the strict decoder refused: whatever can be understood is, the rest stays in `raw`.

Survives nulls, wrong types, missing and unknown properties, any casing of their names, one value where a list belongs, properties beside
`properties` instead of inside (and the other way round), broken escapes and bytes that are no UTF-8. For what the strict decoder accepts the
result is the same (a property test holds the two together).
"""

import json
import re
from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, Struct, UnsetType

from vtapweb.domain.plain_text import storable

S = TypeVar("S", bound=Struct)

_JSON_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_DECODE = msgspec.json.Decoder().decode


class NotAnObjectError(ValueError):
    """The item is no JSON object, or an object without a text where an id must be."""


def read(wire: type[S], raw: bytes) -> S:
    """The item as `wire` has it. Raises NotAnObjectError when the JSON is no object or what `wire` requires is not there."""
    try:
        document = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        document = _decode_broken(raw)
    if not isinstance(document, dict):
        raise NotAnObjectError(f"it is no JSON object but {_kind_of(document)}")
    built: S = _struct(wire, document)
    return built


def _decode_broken(raw: bytes) -> Any:
    """Python's own decoder takes what msgspec does not: lone surrogates, NaN."""
    try:
        return json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotAnObjectError("it is no JSON, or nested too deeply") from error


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
    coerce: Callable[[Any], Any]  # of anything but null
    is_required: bool


@cache
def _fields(wire: type[Struct]) -> tuple[_Field, ...]:
    """Every field that we read (not those that are only kept)."""
    hints = get_type_hints(wire)
    return tuple(
        _Field(field.name, field.encode_name, field.encode_name.lower(), hint, _coercion(hint), field.required)
        for field in msgspec.structs.fields(wire)
        if (hint := _without_none(hints[field.name])) != (Raw | UnsetType)
    )


@cache
def _properties_type(wire: type[Struct]) -> Any:
    """The type of `properties`, None where the object has none that we read."""
    return next((field.hint for field in _fields(wire) if field.name == "properties"), None)


def _without_none(hint: Any) -> Any:
    """`X | None` → X; everything else as it is."""
    if get_origin(hint) in {Union, UnionType} and NoneType in get_args(hint):
        return next(part for part in get_args(hint) if part is not NoneType)
    return hint


@cache
def _known(wire: type[Struct]) -> frozenset[str]:
    """Every name that the object may have, those included that we only keep."""
    return frozenset(field.encode_name for field in msgspec.structs.fields(wire))


class _Object:
    """A JSON object whose properties are found under any casing, the exact one first.

    Most objects hold nothing but names we know: then what is not there under its exact name is not there at all.
    """

    __slots__ = ("exact", "folded")

    def __init__(self, content: dict[str, Any], known: frozenset[str]) -> None:
        self.exact = content
        self.folded: dict[str, list[Any]] = {}
        if not content.keys() <= known:
            for key, value in content.items():
                if value is not None:
                    self.folded.setdefault(key.lower(), []).append(value)

    def find(self, field: _Field) -> Any:
        """The first value that can be taken for what the field holds, else None."""
        exact = self.exact.get(field.name)
        if exact is not None and (understood := field.coerce(exact)) is not None:
            return understood
        return self.find_odd(field, exact) if self.folded else None

    def find_odd(self, field: _Field, exact: Any = None) -> Any:
        """The same among other spellings, or where the field does not belong."""
        for value in self.folded.get(field.folded, ()):
            if value is not exact and (understood := field.coerce(value)) is not None:
                return understood
        return None


_NOTHING = _Object({}, frozenset())


def _struct(wire: type[Struct], content: dict[str, Any]) -> Any:
    """The object as `wire` has it. Its properties may lie beside `properties`, and what belongs beside may lie inside."""
    own, properties_type = _Object(content, _known(wire)), _properties_type(wire)
    inner = _inside(own, properties_type) if properties_type else _NOTHING
    values: dict[str, Any] = {}
    for field in _fields(wire):
        if field.name == "properties":
            values[field.attribute] = _properties(properties_type, inner, own)
            continue
        value = own.find(field)
        if value is None and inner.folded:
            value = inner.find_odd(field)
        if value is None and field.is_required:
            raise NotAnObjectError(f"it has no {field.name}")
        values[field.attribute] = value
    return wire(**values)


def _inside(own: _Object, properties_type: type[Struct]) -> _Object:
    candidates = [own.exact.get("properties"), *own.folded.get("properties", ())]
    return next((_Object(one, _known(properties_type)) for one in candidates if isinstance(one, dict)), _NOTHING)


def _properties(wire: type[Struct], inner: _Object, own: _Object) -> Any:
    values: dict[str, Any] = {}
    for field in _fields(wire):
        value = inner.find(field)
        values[field.attribute] = own.find_odd(field) if value is None and own.folded else value
    return wire(**values)


@cache
def _coercion(hint: Any) -> Callable[[Any], Any]:
    """What makes a `hint` of a JSON value, or None where the value cannot be taken for one."""
    if hint is str:
        return _text
    if hint is bool:
        return _truth
    if hint is int:
        return _whole_number
    if get_origin(hint) is list:
        inner = _coercion(get_args(hint)[0])
        return lambda value: [one for one in map(inner, value if isinstance(value, list) else [value]) if one is not None]
    if get_origin(hint) is dict:
        return _texts
    return lambda value: _struct(hint, value) if isinstance(value, dict) else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).strip().lower())


def _texts(value: Any) -> dict[str, str] | None:
    return {storable(key): _text(one) or "" for key, one in value.items()} if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return storable(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


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
