"""Requests made to break something: whatever stands in an address or a body, the answer is a page, a list or a problem, never a server error."""

import pytest

from tests.inventory.factories import make_estate, make_nic
from tests.inventory.pages import signed_in
from vtapweb.access.models import AuditEntry
from vtapweb.domain.scope import Scope
from vtapweb.inventory.search import find
from vtapweb.inventory.views import KEYS_FIELD
from vtapweb.web.paging import cursor_of

pytestmark = pytest.mark.django_db

ODD = ["%00", "a%00b", "%ED%A0%80", "²", "9" * 40, "9" * 5000, "-1", "%25", "[0]", "'", "%22%5C", "10.0.0.0/8%00", "::ffff:10.0.0.0/104"]


@pytest.mark.parametrize("text", ODD, ids=lambda text: text[:12])
def test_no_address_breaks_a_page_or_a_list(text: str) -> None:
    make_estate()
    client = signed_in("admin")
    addresses = [f"/table/nics?{name}={text}" for name in ("q", "subscription", "region", "vnet", "tag", "state", "page", "size", "sort", "select")]
    addresses += [f"/api/v1/nics?{name}={text}" for name in ("q", "subscription", "region", "vnet", "tag", "state", "limit", "cursor")]
    addresses += [f"/feed?{name}={text}" for name in ("subscription", "kind", "action", "run", "before")]
    addresses += [f"/audit?{name}={text}" for name in ("actor", "action", "since", "before")]
    addresses += [f"/find?q={text}", f"/api/v1/topology/find?q={text}", f"/api/v1/topology/selection?select={text}", f"/api/v1/selections/{text}"]
    addresses += [f"/table/subscriptions?q={text}", f"/api/v1/syncs?cursor={cursor_of(text)}", f"/api/v1/audit?cursor={cursor_of(text)}"]
    addresses += [f"/api/v1/nics?cursor={cursor_of(text)}", f"/api/v1/topology/nodes/{text}", f"/api/v1/syncs/{text}", f"/?select={text}"]
    addresses += [f"/api/v1/nics?cursor={cursor_of(chr(0))}"]
    broken = [address[:80] for address in addresses if client.get(address).status_code >= 500]
    assert broken == []


@pytest.mark.parametrize("body", ['{"terms": "a\\u0000b"}', '{"terms": ["\\ud800"]}', '{"terms": [["x"]]}', "[" * 3000, "\x00"])
def test_no_body_breaks_find(body: str) -> None:
    make_estate()
    assert signed_in().post("/api/v1/find", body, content_type="application/json").status_code < 500


def test_an_audited_reason_may_hold_anything() -> None:
    body = '{"reason": "a\\u0000b\\ud800"}'
    assert signed_in("operator").post("/api/v1/topology/rearrange", body, content_type="application/json").status_code == 202
    assert AuditEntry.objects.get(action="topology.rearranged").reason == "a\ufffdb\ufffd"


def test_a_selection_on_the_map_may_name_any_number() -> None:
    make_estate()
    answer = signed_in().post("/api/v1/topology/selection", {"ids": [0, -1, 2**40, 2**70]}, content_type="application/json")
    assert answer.status_code < 500


def test_a_prefix_that_holds_everything_selects_everything_in_one_field() -> None:
    """A form has at most 1,000 fields; what matched goes as one."""
    estate = make_estate(nics=50)
    client = signed_in()
    page = client.post("/find", {"q": "0.0.0.0/0"}).content.decode()
    (kept,) = [part.split('"')[0] for part in page.split(f'name="{KEYS_FIELD}" value="')[1:]]
    chosen = make_nic("twin-nic", subnet=estate.subnet, address="10.0.9.9")
    answer = client.post("/select", {KEYS_FIELD: kept, "key": [chosen.key], "to": "table"})
    assert "52 of" in client.get(answer.headers["Location"]).content.decode()


def test_a_resource_in_many_prefixes_is_one_hit_of_each() -> None:
    estate = make_estate(nics=3)
    result = find(Scope.everything(), "10.0.0.0/8 10.1.0.0/16 10.1.1.4 10.1.1.4/32")
    assert [len(one.hits) for one in result.outcomes] == [4, 3, 1, 1]
    assert [hit.key for hit in result.outcomes[3].hits] == [estate.nics[0].key]
