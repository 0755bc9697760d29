"""What a person is told of as a change."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.diff import JSON_CHANGES_SHOWN, field_changes, json_changes

json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def told(before: Any, after: Any) -> dict[str, list[Any]]:
    return json_changes(json.dumps(before).encode(), json.dumps(after).encode())


def test_spellings_of_one_id_are_equal() -> None:
    before = {"virtual_machine_id": "/subscriptions/A", "tap_ids": ["/x/B", "/x/a"], "name": "web"}
    assert field_changes(before, {"virtual_machine_id": "/Subscriptions/a", "tap_ids": ["/x/A", "/x/b"], "name": "web"}) == {}
    assert field_changes(before, {"name": "WEB"}) == {"name": ["web", "WEB"]}


def test_items_are_matched_by_name_not_by_place() -> None:
    one, other = {"name": "a", "port": 1}, {"name": "b", "port": 2}
    assert told({"rules": [one, other]}, {"rules": [other, one]}) == {}
    assert told({"rules": [one, other]}, {"rules": [other, {"name": "a", "port": 9}]}) == {"rules.a.port": [1, 9]}


def test_etags_and_back_references_are_silent() -> None:
    assert told({"etag": "1", "nics": [{"id": "/a"}]}, {"etag": "2", "nics": [{"id": "/b"}]}) == {}
    assert told({"etag": "1"}, {"etag": "2", "nics": [{"id": "/b"}]}) == {}


def test_no_json_tells_nothing() -> None:
    assert json_changes(b"<html>", b"{}") == {}


@given(json_values)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert told(value, value) == {}


@given(json_values, json_values)
def test_any_two_documents_compare(before: Any, after: Any) -> None:
    assert len(told(before, after)) <= JSON_CHANGES_SHOWN
