"""The vectors that Python and JavaScript share are what the code makes, and hold the law: apply(before, events) == after."""

import json
from typing import Any

import pytest

from tests.vectors.topology import FILES, FOLDER, text_of
from vtapweb.domain.topology import apply, decode, encode

CASES: list[dict[str, Any]] = json.loads((FOLDER / "topology_deltas.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_what_the_code_makes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == text_of(FILES[name]()), (
        "run python -m tests.vectors.topology and tell who reads the vectors"
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_applying_the_events_to_before_gives_after(case: dict[str, Any]) -> None:
    snapshot = decode(case["before"])
    for event in case["events"]:
        snapshot = apply(apply(snapshot, event["delta"]), event["delta"])  # a delta that comes twice changes nothing more
    assert snapshot == decode(case["after"])


def test_a_snapshot_survives_the_way_over_the_wire() -> None:
    wire = json.loads((FOLDER / "snapshot_s.json").read_text(encoding="utf-8"))
    again = encode(decode(wire), wire["geometry"])
    assert {**again, "seq": 123} == wire


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_who_was_there_stays_where_he_was_unless_his_own_box_became_too_small(case: dict[str, Any]) -> None:
    before, after = decode(case["before"]), decode(case["after"])
    may_move = {"spoke-crm"} if case["name"] == "a subnet outgrows its box" else set()
    for node, row in before.tables["vnets"].items():
        if node in after.tables["vnets"] and row[2] not in may_move:
            assert after.tables["vnets"][node][7:11] == row[7:11]
    for node, row in before.tables["nics"].items():
        if node in after.tables["nics"]:
            assert after.tables["nics"][node][1:3] == row[1:3]
