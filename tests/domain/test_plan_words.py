"""The sentences of a plan, word for word."""

from dataclasses import replace

import pytest

from vtapweb.domain.plan_words import LeftOut, PlanFacts, Together, counted, downtime, duration, left_out_words, listed, sentence

FACTS = PlanFacts("tap", 6, 5, "ilb-collector-uks", request_count=5, wave_count=2, duration_s=340)
WEB = LeftOut("web-01", "one-config-per-nic", "already mirrored to nic-packetlog-01")


def test_the_sentence_of_the_users() -> None:
    assert sentence(replace(FACTS, left_out=(WEB,))) == (
        "5 of 6 NICs → ilb-collector-uks. Left out: web-01, already mirrored to nic-packetlog-01. "
        "5 requests in 2 waves, about 6 min. Nothing has been sent to Azure."
    )


MAKE = PlanFacts("create_tap", 0, 0, "tap-new", request_count=1, wave_count=1, place="rg-tap", does_tap=True)
TAGS = PlanFacts("update_tap_tags", 0, 0, "tap-a", request_count=1, wave_count=1, tag_counts=(1, 0, 2))
DELETE = PlanFacts("delete_tap", 0, 0, "tap-a", request_count=1, wave_count=1, does_tap=True)


@pytest.mark.parametrize(
    ("facts", "begins"),
    [
        (replace(FACTS, wanted_count=5), "5 NICs → ilb-collector-uks. 5 requests"),
        (
            replace(FACTS, wanted_count=1, nic_count=1, request_count=1, wave_count=1, duration_s=30),
            "1 NIC → ilb-collector-uks. 1 request in 1 wave, about 30 s.",
        ),
        (replace(FACTS, action="untap", from_names=("tap-b", "tap-a")), "5 of 6 NICs no longer mirrored to tap-a and tap-b."),
        (replace(FACTS, action="move", from_names=("tap-a",)), "5 of 6 NICs from tap-a → ilb-collector-uks. Each has no mirror between"),
        (MAKE, "New TAP tap-new in rg-tap. 1 request"),
        (replace(MAKE, wanted_count=2, nic_count=2), "New TAP tap-new in rg-tap and 2 NICs → it."),
        (TAGS, "Tags of tap-a: 1 added, 0 changed, 2 removed."),
        (DELETE, "TAP tap-a deleted. 1 request"),
        (replace(DELETE, wanted_count=2, nic_count=2), "2 NICs no longer mirrored, then TAP tap-a deleted."),
        (replace(FACTS, action="untap", undo_of=412), "Undo of change 412: 5 of 6 NICs no longer mirrored."),
    ],
)
def test_each_action_has_its_sentence(facts: PlanFacts, begins: str) -> None:
    assert sentence(facts).startswith(begins)
    assert sentence(facts).endswith("Nothing has been sent to Azure.")


def test_many_that_are_left_out_are_counted_by_reason() -> None:
    many = [LeftOut(f"web-{number}", "reachable") for number in range(37)] + [
        LeftOut("dc-01", "protected"),
        LeftOut("x", "permission", is_unknown=True),
    ]
    assert left_out_words(many) == ("Left out: 37 no way from there to the collector, 1 protected, 1 not known whether it may be (rule permission).")
    assert left_out_words([LeftOut("a", "new-rule"), LeftOut("b", "lock")]) == "Left out: a, rule new-rule; b, locked in Azure."
    assert left_out_words([]) == ""


def test_downtime_names_who_backs_up_whom() -> None:
    pair = Together("availability set", "as-dc", ("dc-01", "dc-02"))
    assert downtime([f"vm-{n}" for n in range(5)], [pair]) == (
        "Each of these 5 VMs may lose its network for up to 60 seconds. Once a step is sent, it can't be called back. "
        "dc-01 and dc-02 back each other up (availability set as-dc), so we change them one after the other."
    )
    assert downtime(["web-01"], [], is_again=True).startswith("VM web-01 may lose its network for up to 60 seconds again.")
    assert "share the tag role: dc" in downtime(["a", "b"], [Together("tag", "role: dc", ("a", "b"))])
    assert downtime(["a"] * 9, [pair] * 5).endswith("The same for 2 more groups.")
    assert downtime([], []) == ""


def test_small_words() -> None:
    assert [listed(["a"]), listed(["a", "b"]), listed(list("abcd")), listed(list("abcde"))] == ["a", "a and b", "a, b, c and d", "a, b, c and 2 more"]
    words = {0: "about 1 s", 29: "about 30 s", 31: "about 35 s", 60: "about 1 min", 61: "about 2 min", 360: "about 6 min", 7200: "about 2 h"}
    assert {seconds: duration(seconds) for seconds in words} == words
    assert [counted(1, "NIC"), counted(2000, "NIC")] == ["1 NIC", "2,000 NICs"]
