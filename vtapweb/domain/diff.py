"""What differs between two readings of one resource, field by field.

Rule 1: two spellings of one ARM id are no difference. Rule 2: an etag alone is no change that a person cares for. Rule 3: back-references,
lists of nothing but ids that Azure keeps on the other end of a relation, are told by that other end.
"""

import json
from collections.abc import Mapping
from typing import Any

from vtapweb.domain.arm_id import fold
from vtapweb.domain.plain_text import storable, storable_json

Changes = dict[str, list[Any]]

JSON_CHANGES_SHOWN = 20


def field_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """{name: [before, after]} for every field of `after` whose value differs. Fields named …_id and …_ids compare as ARM ids."""
    changes: Changes = {}
    for name, new in after.items():
        old = before.get(name)
        if old == new:
            continue
        if name.endswith(("_id", "_ids")) and _folded(old) == _folded(new):
            continue
        changes[name] = [old, new]
    return changes


def json_changes(before: bytes, after: bytes) -> Changes:
    """{path: [before, after]} between two JSON documents, for what no field of ours tells; at most 20 paths, {} when either is no JSON.
    The texts are storable ones, whatever the documents hold.

    A list's items are matched by their name or id, so that an item that moved is no change.
    """
    try:
        old, new = json.loads(before), json.loads(after)
    except (ValueError, RecursionError):
        return {}
    changes: Changes = {}
    _walk("", old, new, changes)
    return {storable(path): storable_json(pair) for path, pair in changes.items()}


def _walk(path: str, old: Any, new: Any, changes: Changes) -> None:
    if old == new or len(changes) >= JSON_CHANGES_SHOWN:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if name != "etag":
                _walk(f"{path}.{name}" if path else name, old.get(name), new.get(name), changes)
    elif _are_references(old) and _are_references(new):
        return
    elif _is_named_list(old) and _is_named_list(new):
        _walk(path, {_name(one): one for one in old}, {_name(one): one for one in new}, changes)
    elif isinstance(old, str) and isinstance(new, str) and old.startswith("/") and fold(old) == fold(new):
        return
    else:
        changes[path] = [old, new]


def _folded(value: Any) -> Any:
    if isinstance(value, str):
        return fold(value)
    if isinstance(value, list | tuple):
        return sorted(fold(str(one)) for one in value)
    return value


def _are_references(value: Any) -> bool:
    """A list whose items are {"id": …} and nothing else; nothing at all is an empty one."""
    return value is None or (isinstance(value, list) and all(isinstance(one, dict) and one.keys() == {"id"} for one in value))


def _is_named_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and _name(one) for one in value)


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("name") or fold(str(item.get("id") or "")))
