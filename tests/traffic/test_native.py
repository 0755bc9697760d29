"""The agent's document: taken whole when all of it is right, else refused with the member that is wrong."""

import json
import socket
from http import HTTPStatus
from typing import Any

import pytest

from tests.traffic.documents import HOST, document, octets
from vtapweb.agent.vtap_agent import VERSION, Documents, Machine, Reading
from vtapweb.traffic.ingest.formats import Refused, Sender
from vtapweb.traffic.ingest.native import AGENT_MAJOR, AGENT_NEWEST_MINOR, SOURCES_MOST, U64_MOST, decode_native
from vtapweb.traffic.samples import Counters, Origin, decode_sample, encode

SENDER = Sender(collector="c" * 26, nic_key="n" * 26, token_name="lb member 1", arrival_ms=1_700_000_000_123)


def decoded(**given: Any) -> Counters:
    return decode_native(octets(**given), SENDER)


def test_every_field_arrives_at_the_meter() -> None:
    directions = [["10.0.2.4", 27, "7c1e525639cb", 60, 6_000]]
    sample = decoded(dir=directions, gro=True, vxlan_device=True, every_s=2)
    assert sample == Counters(
        collector="c" * 26, member="9f3a", origin=Origin.AGENT, interval_s=2.0, arrival_ms=1_700_000_000_123, boot="b7d0-1a2b", seq=12,
        mono_ms=123_456, wall_ms=1_700_000_000_000, is_full=True, packets=66, l3_bytes=6_600, host=HOST,
        sources=[("10.0.2.4", 27, 60, 6_000), ("10.0.2.5", 27, 6, 600)], directions=[("10.0.2.4", 27, "7c1e525639cb", 60, 6_000)], version="1.0",
        interface="eth0", is_gro=True, has_vxlan_device=True, nic_key="n" * 26, unattributed=(0, 0), lacks="",
    )  # fmt: skip
    assert decode_sample(encode(sample)) == sample


def test_what_our_own_agent_makes_is_taken() -> None:
    key = socket.inet_aton("10.0.2.4") + (27).to_bytes(3, "big") + b"\0"
    reading = Reading(
        mono_ms=5,
        wall_ms=7,
        host={"rx_bytes": 1},
        total=(3, 300),
        unattributed=(1, 100),
        sources={key: (2, 200)},
        directions={key + b"\1" * 8: (2, 200)},
    )
    made = Documents().make(Machine(member="m1", boot="b-1", interface="eth0"), reading, is_full=True)
    sample = decode_native(json.dumps(made).encode(), SENDER)
    assert (sample.sources, sample.unattributed) == ([("10.0.2.4", 27, 2, 200)], (1, 100))
    assert sample.directions == [("10.0.2.4", 27, "010101010101", 2, 200)]
    assert VERSION.startswith(f"{AGENT_MAJOR}.{AGENT_NEWEST_MINOR}"), "the server knows the version it hands out"


def test_without_counting_everything_of_it_is_unknown_not_zero() -> None:
    sample = decoded(total=..., src=..., unattributed=..., lacks="nft is not installed", host={"rx_bytes": 5})
    assert (sample.packets, sample.l3_bytes, sample.sources, sample.unattributed) == (None, None, None, None)
    assert (sample.lacks, sample.host) == ("nft is not installed", {"rx_bytes": 5})


def test_what_a_newer_agent_adds_is_passed_over() -> None:
    assert decoded(agent="1.7.2", later={"a": [1]}) == decoded(agent="1.7.2")


def test_the_greatest_counters_and_most_sources_fit() -> None:
    rows = [[f"10.{one >> 16}.{one >> 8 & 255}.{one & 255}", 2**24 - 1, U64_MOST, U64_MOST] for one in range(SOURCES_MOST)]
    sample = decoded(src=rows, total=[U64_MOST, U64_MOST])
    assert sample.sources is not None
    assert len(sample.sources) == SOURCES_MOST
    assert decode_sample(encode(sample)) == sample
    with pytest.raises(Refused, match="length"):
        decoded(src=[*rows, ["11.0.0.0", 0, 1, 1]])


WRONG: dict[str, dict[str, Any]] = {
    "another version of the document": {"v": 2},
    "no version": {"v": ...},
    "an agent of another kind": {"agent": "2.0"},
    "an agent that is none": {"agent": "new"},
    "no member": {"member": ""},
    "a member that could be two": {"member": "a/b"},
    "a long member": {"member": "m" * 129},
    "a boot with a line feed": {"boot": "b\n"},
    "no boot": {"boot": ...},
    "a text for a number": {"seq": "12"},
    "a fraction": {"seq": 1.5},
    "a negative time": {"t": -1},
    "a time beyond all": {"mono": 2**53},
    "true for a number": {"total": [True, 1]},
    "one number of two": {"total": [1]},
    "a counter of 65 bits": {"total": [1, U64_MOST + 1]},
    "a host counter of 65 bits": {"host": {"rx_bytes": U64_MOST + 1}},
    "an unknown host counter": {"host": {"payload": 1}},
    "a host counter that fell below 0": {"host": {"rx_bytes": -1}},
    "an address of another family": {"src": [["fe80::1", 27, 1, 1]]},
    "an octet of 256": {"src": [["10.0.2.256", 27, 1, 1]]},
    "an octet with a zero before": {"src": [["10.0.02.4", 27, 1, 1]]},
    "digits of another script": {"src": [["10.0.2.٤", 27, 1, 1]]},
    "an address with a line feed": {"src": [["10.0.2.4\n", 27, 1, 1]]},
    "a VNI of 25 bits": {"src": [["10.0.2.4", 2**24, 1, 1]]},
    "a source twice": {"src": [["10.0.2.4", 27, 1, 1], ["10.0.2.4", 27, 2, 2]]},
    "a source's counter of 65 bits": {"src": [["10.0.2.4", 27, U64_MOST + 1, 1]]},
    "a short row": {"src": [["10.0.2.4", 27, 1]]},
    "a MAC in another spelling": {"dir": [["10.0.2.4", 27, "7C1E525639CB", 1, 1]]},
    "a MAC that is none": {"dir": [["10.0.2.4", 27, "7c1e525639cx", 1, 1]]},
    "directions without sources": {"src": ..., "dir": [["10.0.2.4", 27, "7c1e525639cb", 1, 1]]},
    "no word on being full": {"full": ...},
    "an interval of nothing": {"every_s": 0},
    "an interval of a day": {"every_s": 86_400},
}


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
def test_one_wrong_member_refuses_the_whole(given: dict[str, Any]) -> None:
    assert decoded() is not None
    with pytest.raises(Refused) as refused:
        decoded(**given)
    assert (refused.value.status, refused.value.reason) == (HTTPStatus.BAD_REQUEST, "malformed")
    assert refused.value.detail


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"v":' + b"9" * 10_000 + b"}", json.dumps(document()).encode()[:-1], b'{"v":NaN}'],
    ids=["nothing", "null", "a list", "a brace", "no UTF-8", "deep", "a long number", "cut off", "NaN"],
)
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        decode_native(body, SENDER)


def test_what_stands_in_a_document_is_told_short_and_harmless() -> None:
    with pytest.raises(Refused) as refused:
        decoded(host={"a\nforged line" + "x" * 1_000_000: 1})
    assert len(refused.value.detail) < 400
    assert refused.value.detail.isprintable()


def test_texts_of_another_encoding_are_refused() -> None:
    with pytest.raises(Refused):
        decode_native(octets(member="m-1").replace(b"m-1", b"\xc3\x28x"), SENDER)
    with pytest.raises(Refused):
        decode_native(octets().replace(b"eth0", b"\\ud800"), SENDER)


def test_a_list_of_sources_that_is_known_is_looked_at_again_when_it_changes() -> None:
    for packets in (60, 61):
        assert decoded(src=[["10.0.2.4", 27, packets, 6_000], ["10.0.2.5", 27, 6, 600]]).sources is not None
    with pytest.raises(Refused, match="no IPv4 address"):
        decoded(src=[["10.0.2.4", 27, 62, 6_000], ["10.0.2.500", 27, 6, 600]])
    with pytest.raises(Refused, match="more than once"):
        decoded(src=[["10.0.2.4", 27, 62, 6_000], ["10.0.2.4", 27, 6, 600]])
    two_networks = [["10.0.2.4", 27, 62, 6_000], ["10.0.2.4", 28, 6, 600]]
    assert decoded(src=two_networks).sources == [tuple(row) for row in two_networks]
    two_networks[1][1] = 27
    with pytest.raises(Refused, match="more than once"):
        decoded(src=two_networks)
    with pytest.raises(Refused, match="64 bits"):
        decoded(src=[["10.0.2.4", 27, U64_MOST + 1, 6_000], ["10.0.2.5", 27, 6, 600]])
