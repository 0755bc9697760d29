"""Text that every database and encoder takes: JSON may hold NULs and halves of surrogate pairs by escapes, PostgreSQL and UTF-8 may not."""

from typing import Any


def storable(text: str) -> str:
    """The text with NULs and lone surrogates replaced by U+FFFD; anything else is untouched, pairs of surrogates become their character."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def storable_json(value: Any) -> Any:
    """A decoded JSON value with every text in it `storable`, names of members included."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(name)): storable_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [storable_json(one) for one in value]
    return value
