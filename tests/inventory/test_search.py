"""Find: whatever is pasted comes back as matched, ambiguous, removed or not found, in its order, in a fixed number of queries."""

from datetime import timedelta

import pytest

from tests.inventory.factories import NOW, SUBSCRIPTION, make_estate, make_load_balancer, make_nic, make_subnet, make_vm, make_vnet
from tests.inventory.pages import queries_of, signed_in
from vtapweb.domain.scope import Scope
from vtapweb.inventory.search import SEARCH_MAX, find
from vtapweb.inventory.selection import IN_ADDRESS_MAX, selection_keep, selection_keys
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db
ALL = Scope.everything()
OTHER = "5a000000-0000-0000-0000-000000000002"


def states(pasted: str, scope: Scope = ALL) -> list[tuple[str, str]]:
    return [(one.term.text, one.state) for one in find(scope, pasted).outcomes]


def test_every_way_to_name_a_nic_finds_it() -> None:
    estate = make_estate()
    nic = estate.nics[1]
    for term in ("app-02-nic", "APP-02-NIC", "10.1.1.5", "000d.3a00.0102", "00:0D:3A:00:01:02", nic.arm_id.upper(), '"app-02-nic"'):
        result = find(ALL, term)
        assert [one.state for one in result.outcomes] == ["matched"], term
        assert result.selection == [nic.key], term


def test_nothing_is_dropped_and_the_order_stays() -> None:
    estate = make_estate()
    make_nic("old-nic", subnet=make_subnet("old", vnet=estate.hub), address="10.0.7.7", vm=None, removed_at=NOW + timedelta(days=1), last_seen_at=NOW)
    assert states("nope, app-01-nic;old-nic\t10.99.0.1 app-01-nic\nzz") == [
        ("nope", "not_found"), ("app-01-nic", "matched"), ("old-nic", "removed"),
        ("10.99.0.1", "not_found"), ("app-01-nic", "matched"), ("zz", "not_found"),
    ]  # fmt: skip


def test_twins_are_ambiguous_and_tell_their_vnet() -> None:
    for name in ("red", "blue"):
        subnet = make_subnet("apps", vnet=make_vnet(name))
        make_nic(f"{name}-nic", subnet=subnet, address="10.0.0.4")
    result = find(ALL, "10.0.0.4")
    assert [one.state for one in result.outcomes] == ["ambiguous"]
    assert {hit.place.split(" · ")[0] for hit in result.outcomes[0].hits} == {"red", "blue"}
    assert result.selection == []


def test_a_vm_stands_for_its_nics_and_its_namesake_nic_is_no_second_meaning() -> None:
    subnet = make_subnet()
    vm = make_vm("sql-01")
    one = make_nic("sql-01", subnet=subnet, vm=vm)
    assert find(ALL, "sql-01").selection == [one.key]
    two = make_nic("sql-01-b", subnet=subnet, vm=vm, address="10.0.1.9")
    assert states("sql-01") == [("sql-01", "ambiguous")]
    assert set(find(ALL, vm.arm_id).selection) == {one.key, two.key}


def test_a_prefix_means_all_that_lies_in_it_frontends_too() -> None:
    estate = make_estate(nics=5)
    balancer = make_load_balancer(subnet=estate.spoke_subnet, address="10.1.1.250")
    result = find(ALL, "10.1.1.0/24")
    assert set(result.selection) == {nic.key for nic in estate.nics} | {balancer.key}
    many = "\n".join(f"10.{number}.0.0/16" for number in range(250))
    assert set(find(ALL, many).matched[1].selection) == set(result.selection)


def test_one_word_alone_suggests_by_part_of_the_name() -> None:
    make_estate()
    assert states("packetlog") == [("packetlog", "matched")]
    assert states("app-") == [("app-", "ambiguous")]
    assert states("packetlog app-01-nic")[0] == ("packetlog", "not_found")


def test_scope_is_kept() -> None:
    make_estate(subscription_id=OTHER)
    assert states("app-01-nic 10.1.1.4", Scope.of([SUBSCRIPTION])) == [("app-01-nic", "not_found"), ("10.1.1.4", "not_found")]


def test_the_number_of_queries_does_not_grow_with_the_list() -> None:
    make_estate(nics=40)
    few = "app-01-nic 10.1.1.5 10.1.1.0/30 00-0D-3A-00-01-03 web app-01"
    many = " ".join([few, *(f"app-{n:02d}-nic 10.1.1.{n} 10.{n}.0.0/16 00-0D-3A-00-01-{n:02X} app-{n:02d}" for n in range(1, 40))])
    find(ALL, few)
    assert queries_of(lambda: find(ALL, few)) == queries_of(lambda: find(ALL, many))


def test_too_many_are_refused_in_words() -> None:
    with pytest.raises(ProblemError, match="up to 5,000 fit"):
        find(ALL, " ".join(["x"] * (SEARCH_MAX + 1)))


def test_long_selections_are_kept_and_named() -> None:
    keys = [f"{'a' * 25}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz234567"] + [f"{'b' * 25}{letter}" for letter in "abcdefghijklmnop"]
    assert selection_keys(selection_keep(keys[:3])) == keys[:3]
    assert len(keys) > IN_ADDRESS_MAX
    kept = selection_keep(keys)
    assert kept.startswith("@")
    assert selection_keys(kept) == keys
    assert selection_keys("@gone") is None
    assert selection_keys("nonsense,<script>") == []


def test_the_page_groups_and_its_result_becomes_a_selection() -> None:
    estate = make_estate()
    client = signed_in()
    assert "Paste one or hundreds" in client.get("/find").content.decode()
    page = client.post("/find", {"q": "app-01-nic\napp-02-nic\nnope"}).content.decode()
    assert "<b>2</b> matched" in page
    assert "<b>1</b> not found" in page
    answer = client.post("/select", {"key": [estate.nics[0].key, f"{estate.nics[1].key},{estate.nics[0].key}"], "to": "table"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/table/nics?select={estate.nics[0].key},{estate.nics[1].key}"
    assert "app-02-nic" in client.get(answer.headers["Location"]).content.decode()
    assert client.get("/table/nics?select=@gone").status_code == 404
