"""The document: what is in it, what a short one leaves out, and what it says where nothing can be counted per source."""

import json
import socket

from vtapweb.agent.vtap_agent import KEPT_S, Documents, Machine, Reading, Steady

MACHINE = Machine(member="m1", boot="b-1", interface="eth0")


def source(address: str, vni: int) -> bytes:
    return socket.inet_aton(address) + vni.to_bytes(3, "big") + b"\0"


A, B = source("10.0.2.4", 27), source("10.0.2.5", 0xFFFFFF)


def reading(**more: object) -> Reading:
    fields: dict[str, object] = {"mono_ms": 5, "wall_ms": 7, "host": {"rx_bytes": 1}, "total": (3, 300), "unattributed": (0, 0), **more}
    return Reading(**fields)  # type: ignore[arg-type] # the names are checked when it is made


def test_a_full_document_holds_every_field_and_survives_json() -> None:
    directions = {A + bytes.fromhex("7c1e525639cb") + b"\0\0": (1, 102)}
    document = Documents().make(MACHINE, reading(sources={A: (1, 102), B: (2, 198)}, directions=directions), is_full=True)
    assert json.loads(json.dumps(document)) == {
        "v": 1, "agent": "1.0", "every_s": 1, "member": "m1", "boot": "b-1", "seq": 1, "t": 7, "mono": 5, "if": "eth0", "gro": False,
        "vxlan_device": False, "host": {"rx_bytes": 1}, "full": True, "total": [3, 300], "unattributed": [0, 0],
        "src": [["10.0.2.4", 27, 1, 102], ["10.0.2.5", 16777215, 2, 198]], "dir": [["10.0.2.4", 27, "7c1e525639cb", 1, 102]],
    }  # fmt: skip


def test_a_short_document_lists_what_changed_since_the_one_before() -> None:
    documents = Documents()
    documents.make(MACHINE, reading(sources={A: (1, 102), B: (2, 198)}), is_full=True)
    short = documents.make(MACHINE, reading(sources={A: (1, 102), B: (3, 300)}, directions={}), is_full=False)
    assert (short["seq"], short["full"], short["src"]) == (2, False, [["10.0.2.5", 16777215, 3, 300]])
    assert "dir" not in short
    unchanged = documents.make(MACHINE, reading(sources={A: (1, 102), B: (3, 300)}), is_full=False)
    assert unchanged["src"] == []


def test_the_first_and_every_tenth_are_due_full() -> None:
    documents = Documents()
    due = []
    for _ in range(21):
        due.append(documents.is_full_due())
        documents.make(MACHINE, reading(sources={}), is_full=due[-1])
    assert [place for place, is_due in enumerate(due) if is_due] == [0, 10, 20]


def test_without_counting_it_says_why_and_names_no_source() -> None:
    machine = Machine(member="m1", boot="b-1", interface="eth0", lacks="nft is not installed")
    document = Documents().make(machine, reading(total=None, unattributed=None), is_full=False)
    assert (document["full"], document["lacks"], document["host"]) == (True, "nft is not installed", {"rx_bytes": 1})
    assert not {"total", "unattributed", "src", "dir"} & set(document)


def test_a_source_that_one_reading_lacks_is_kept_and_one_that_expired_is_not() -> None:
    steady = Steady()
    assert steady.steady({A: (1, 102), B: (5, 500)}, 0) == {A: (1, 102), B: (5, 500)}
    assert steady.steady({A: (2, 204)}, 600) == {A: (2, 204), B: (5, 500)}, "no source expires before it was silent for 15 minutes"
    assert steady.steady({A: (2, 204), B: (6, 600)}, 610) == {A: (2, 204), B: (6, 600)}
    assert steady.steady({A: (3, 306)}, 620) == {A: (3, 306), B: (6, 600)}
    assert steady.steady({A: (4, 408)}, 610 + KEPT_S) == {A: (4, 408)}
    assert steady.steady({A: (4, 408), B: (1, 100)}, 620 + KEPT_S) == {A: (4, 408), B: (1, 100)}, "it begins at 0"
