"""Paging of the API: keyset cursors, so that a page costs the same wherever it stands and rows that come or go shift nothing."""

import base64
import binascii
import json

from vtapweb.web.problem import ProblemError

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000


def cursor_of(key: str) -> str:
    """The cursor that continues behind the row with this key. Opaque to clients."""
    return base64.urlsafe_b64encode(json.dumps([1, key]).encode()).decode().rstrip("=")


def key_of(cursor: str) -> str:
    """The key inside a cursor; "" for no cursor. Raises ProblemError 400 for a text that is none of ours."""
    if not cursor:
        return ""
    try:
        version, key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        version, key = 0, ""
    if version != 1 or not isinstance(key, str):
        raise ProblemError(
            400, "Cursor not understood", "Take `next` from the answer before exactly as it came, or leave `cursor` out to start anew."
        )
    return key


def number_of(text: str) -> int | None:
    """The whole number in a text that somebody sent, None for anything else and for what no database counts to (18 digits at most)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def number_in(cursor: str) -> int | None:
    """The number in the cursor of a list by number; None for no cursor. Raises ProblemError 400 for another list's."""
    key = key_of(cursor)
    number = number_of(key)
    if key and number is None:
        raise ProblemError(400, "Cursor of another list", "Take `next` from the answer before of this list.")
    return number


def limit_of(limit: int) -> int:
    """The checked page size. Raises ProblemError 400 outside 1 to 1,000."""
    if not 1 <= limit <= LIMIT_MAX:
        raise ProblemError(400, "Limit out of range", f"`limit` is {limit}; it must be from 1 to {LIMIT_MAX}.")
    return limit
