"""Whose traffic arrives.

[hub: collector, h1] ==peered== [spoke: s1, twin-a]      [island: i1 with s1's address, not peered]
        ==peered== [other: o1, twin-b]                    twin-a and twin-b have one address
"""

from hypothesis import given
from hypothesis import strategies as st

from vtapweb.domain.attribution import AMBIGUOUS, UNKNOWN, Attribution, Claim, CollectorPlace, MirrorFact, attribution

CLAIMS = [
    Claim("10.0.0.4", "hub", "h1"), Claim("10.1.0.4", "spoke", "s1"), Claim("10.1.0.5", "spoke", "s1"), Claim("10.1.0.4", "island", "i1"),
    Claim("10.2.0.4", "other", "o1"), Claim("10.9.0.9", "spoke", "twin-a"), Claim("10.9.0.9", "other", "twin-b"), Claim("", "spoke", "empty"),
]  # fmt: skip
MIRRORS = [MirrorFact(f"m-{nic}", nic, "c") for nic in ("s1", "i1", "twin-a", "twin-b")]


def tables(**given: object) -> Attribution:
    values: dict[str, object] = {
        "collectors": [CollectorPlace("c", "hub"), CollectorPlace("far", "island"), CollectorPlace("nowhere", "")],
        "peerings": [("hub", "spoke"), ("other", "hub"), ("hub", "")], "claims": CLAIMS, "mirrors": MIRRORS, "macs": {"s1": "000d3a000001"},
    }  # fmt: skip
    return attribution(**{**values, **given})  # type: ignore[arg-type] # a test's overrides


def test_a_source_is_a_nic_of_the_collectors_vnet_or_of_a_peered_one() -> None:
    found = tables()
    assert [found.of("c", address).nic_key for address in ("10.0.0.4", "10.1.0.4", "10.2.0.4")] == ["h1", "s1", "o1"]
    assert found.of("far", "10.1.0.4").nic_key == "i1", "the same address elsewhere is another machine's"
    assert found.of("c", "192.0.2.1") == found.of("nowhere", "10.1.0.4") == found.of("unheard of", "10.1.0.4") == UNKNOWN


def test_any_address_of_a_nic_is_the_nics() -> None:
    assert tables().of("c", "10.1.0.4") == tables().of("c", "10.1.0.5")
    assert tables().of("c", "10.1.0.5").mac == "000d3a000001"


def test_two_claimants_get_nothing() -> None:
    assert tables().of("c", "10.9.0.9") == AMBIGUOUS
    assert tables(peerings=[("hub", "spoke")]).of("c", "10.9.0.9").nic_key == "twin-a"


def test_the_tap_configuration_that_leads_here_explains_it() -> None:
    found = tables(mirrors=[*MIRRORS, MirrorFact("m-o1", "o1", "far")])
    assert found.of("c", "10.1.0.4").tap_configuration_key == "m-s1"
    assert (found.of("c", "10.2.0.4").nic_key, found.of("c", "10.2.0.4").tap_configuration_key) == ("o1", "")


def test_copies_that_come_by_two_taps_are_one_mirrors() -> None:
    found = tables(mirrors=[MirrorFact("m-b", "s1", "c"), MirrorFact("m-a", "s1", "c")])
    assert found.of("c", "10.1.0.4").tap_configuration_key == "m-a"
    assert found.seen_mirrors == {"m-a"}


def test_which_mirrors_can_be_seen_at_all() -> None:
    """Not those whose address is also another's, nor those from out of reach: their silence says nothing."""
    assert tables().seen_mirrors == {"m-s1"}


@given(
    st.lists(st.tuples(st.sampled_from("wxyz"), st.sampled_from("wxyz")), max_size=6),
    st.lists(st.builds(Claim, st.sampled_from(["1", "2", "3"]), st.sampled_from("wxyz"), st.sampled_from("abc")), max_size=12),
    st.sampled_from(["1", "2", "3"]),
)
def test_who_is_named_claims_the_address_within_reach_and_alone(peerings: list[tuple[str, str]], claims: list[Claim], address: str) -> None:
    found = attribution(collectors=[CollectorPlace("c", "w")], peerings=peerings, claims=claims, mirrors=[], macs={}).of("c", address)
    near = {"w"} | {there for here, there in peerings if here == "w"} | {here for here, there in peerings if there == "w"}
    nics = {claim.nic_key for claim in claims if claim.address == address and claim.vnet_key in near}
    assert found.is_ambiguous == (len(nics) > 1)
    assert {found.nic_key} - {""} == (nics if len(nics) == 1 else set())
