"""Two people with different subscriptions look at once, and no byte that either receives tells of the other's estate.

    admin makes both in /admin/ --> "spokes" (viewer, contoso-spokes) --wiretap--+
                                    "lab" (operator, fabrikam-lab) ---wiretap--+-+-- the stack <-- changes in every subscription, syncs

What one must not see is taken from the simulator's own lists of the other subscriptions; what one's own documents name is not a secret.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Stack, sign_in
from tests.e2e.estate import Client, documents, node_ids, order
from tests.e2e.test_map import READY, until
from tests.e2e.test_walk import has
from tests.e2e.wiretap import Wiretap
from vtapweb.domain.arm_id import arm_key

SLUGS = ("subscriptions", "vnets", "subnets", "nics", "peerings", "virtual-machines", "load-balancers", "taps", "tap-configurations")
NAMED = ("contoso-prod", "contoso-spokes", "fabrikam-lab")
MEASURED = ("/collectors", "/alarms", "/handover", "/coverage", "/evidence")
DETAILS = 6  # detail pages opened of each kind
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+(/\d+)?|([0-9A-F]{2}-){5}[0-9A-F]{2}", re.IGNORECASE)


def strings(value: Any) -> Iterator[str]:
    """Every string of a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def told_by(found: Iterable[dict[str, Any]]) -> set[str]:
    """What documents give away, in lower case: ids and their keys, names that are nobody else's words, addresses, prefixes, MACs, owners."""
    secrets: set[str] = set()
    for document in found:
        secrets |= {one for one in (document.get("tags") or {}).values() if len(one) > 5 and " " in one}
        for text in strings({name: value for name, value in document.items() if name != "tags"}):
            if ADDRESS.fullmatch(text):
                secrets.add(text)
            elif text.lower().startswith("/subscriptions/"):
                segments = text.strip("/").split("/")
                whole = range(2, len(segments) + 1, 2)  # the id, and those of all that it lies in
                secrets |= {"/" + "/".join(segments[:length]) for length in whole}
                secrets |= {arm_key("/" + "/".join(segments[:length])) for length in whole}
                secrets |= {name for name in segments[1::2] if len(name) > 4 and re.search(r"[-\d]", name) and "." not in name}
    return {one.lower() for one in secrets}


class Estates:
    """Subscription ids by name, and what each one's documents tell; grows with each look, so that what was removed stays a secret."""

    def __init__(self, stack: Stack, admin: Client) -> None:
        self._stack = stack
        self.ids = {one["name"]: one["subscription_id"] for one in admin.items("subscriptions")}
        self._told: dict[str, set[str]] = {name: set() for name in NAMED}
        self._text: dict[str, str] = dict.fromkeys(NAMED, "")
        self.look()

    def look(self) -> None:
        for name in NAMED:
            found = list(documents(self._stack, self.ids[name]))
            self._told[name] |= told_by(found) | {name, self.ids[name]}
            self._text[name] += json.dumps(found, ensure_ascii=False).lower()

    def secrets_from(self, mine: str) -> set[str]:
        """What whoever may see only `mine` must never receive."""
        others = set().union(*(told for name, told in self._told.items() if name != mine)) | {"corp-shared"}
        own_words = {word for text in self._told[mine] for word in (text, *text.split("/"))}
        return {secret for secret in others - self._told[mine] - own_words if not occurs(secret, self._text[mine])}


def occurs(secret: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(secret)}(?![\w-]|\.\d)", text) is not None


def leaks(text: str, secrets: set[str]) -> dict[str, str]:
    """Each secret that occurs, with what stands around it."""
    lowered = text.lower()
    found = {}
    for secret in secrets:
        if secret in lowered and (match := re.search(rf"(?<![\w.-]){re.escape(secret)}(?![\w-]|\.\d)", lowered)):
            found[secret] = lowered[max(0, match.start() - 200) : match.end() + 100]
    return found


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Client:
    return Client(stack, "scopes", "admin")


@pytest.fixture
def estates(stack: Stack, admin: Client) -> Iterator[Estates]:
    yield Estates(stack, admin)
    order(stack, "reset")
    admin.sync()


def person_make(page: Page, name: str, role: str, subscription_id: str) -> str:
    """A person with one subscription, made by an admin on the admin's pages. Returns the password."""
    password = f"correct horse {name} battery"
    page.goto("/admin/access/user/add/")
    page.locator("#id_username").fill(name)
    page.locator("#id_role").select_option(role)
    page.locator("#id_password1").fill(password)
    page.locator("#id_password2").fill(password)
    page.locator("input[name=_continue]").click()
    page.wait_for_url(re.compile(r"/access/user/\d+/change/"))
    page.locator("#id_grants-0-subscription_id").fill(subscription_id.upper())
    page.locator("input[name=_save]").click()
    page.wait_for_url(re.compile(r"/access/user/$"))
    return password


def look_around(page: Page) -> None:
    """Every page of the rail and every table, as a person opens them; ends on the map."""
    for address in (*(f"/table/{slug}" for slug in SLUGS), "/feed", "/syncs", "/connect", "/partners", "/find?q=10.", "/find?q=o", *MEASURED):
        page.goto(address)
        expect(page.locator("header h1")).not_to_be_empty()
    page.goto("/")
    until(page, READY)


def ask_everything(page: Page, nodes: Iterable[int]) -> None:
    """Every other address that answers with something: parts, CSV, details, panels of all `nodes` of the whole map, the API."""
    get = page.request.get
    part = {"HX-Request": "true"}
    for slug in SLUGS:
        for address in (f"/table/{slug}?removed=true", f"/table/{slug}.csv", f"/api/v1/{slug}?removed=true"):
            assert get(address).ok, address
        assert get(f"/table/{slug}", headers=part).ok
        for item in get(f"/api/v1/{slug}?limit=1000").json()["items"][:DETAILS]:
            assert get(f"/{slug}/{item['key']}").ok
    for address in ("/feed", "/feed?action=removed", "/syncs", "/connect/identity", "/partners"):
        assert get(address, headers=part).ok, address
    for address in ("/collectors?part", "/alarms", "/handover?hours=12", "/coverage?by=subnet", "/coverage.csv?what=share", "/evidence.csv"):
        assert get(address, headers=part).ok, address
    for kind in ("collectors", "alarms", "coverage", "evidence"):
        assert get(f"/api/v1/{kind}").ok, kind
    for item in get("/api/v1/collectors").json()["items"]:
        for address in (f"/collectors/{item['key']}", f"/api/v1/collectors/{item['key']}"):
            assert get(address).ok, address
    for item in get("/api/v1/alarms").json()["items"][:DETAILS]:
        assert get(f"/alarms/A-{item['number']}").ok, item
    for run in get("/api/v1/syncs?limit=4").json()["items"]:
        assert get(f"/syncs/{run['id']}").ok
    for term in ("o", "10.", "uks", "0"):
        assert get(f"/api/v1/topology/find?q={term}").ok
    for node in nodes:
        assert get(f"/map/panel/{node}").status in (200, 404)
    for refused in ("/audit", "/audit.csv", "/tokens", "/admin/"):
        assert get(refused).status == 403, refused


def test_neither_of_two_people_receives_a_byte_of_the_others_estate(
    browser: Browser, browser_context_args: dict[str, Any], admin_page: Page, stack: Stack, admin: Client, estates: Estates
) -> None:
    people = {"spokes": ("viewer", "contoso-spokes"), "lab": ("operator", "fabrikam-lab")}
    with Wiretap(stack.address) as spokes_wire, Wiretap(stack.address) as lab_wire:
        wires = {"spokes": spokes_wire, "lab": lab_wire}
        pages: dict[str, Page] = {}
        for name, (role, subscription) in people.items():
            password = person_make(admin_page, name, role, estates.ids[subscription])
            context = browser.new_context(**browser_context_args | {"base_url": wires[name].address})
            pages[name] = context.new_page()
            sign_in(pages[name], name, password)
            pages[name].goto("/")
            until(pages[name], READY)
            until(pages[name], "vtap.graph.stats().line === 'open'")
        seen = {name: {box["name"] for box in page.evaluate("vtap.graph.boxes()") if box["kind"] == "nic"} for name, page in pages.items()}
        assert seen["lab"] == {"fab-01-other-tenant"}
        assert "dc-01" not in seen["spokes"]
        assert len(seen["spokes"]) > 40

        # Something changes in each subscription while both look at their maps; the last is seen by its own person only.
        order(stack, "tags/set", resource=next(one["id"] for one in admin.items("nics") if one["name"] == "dc-01"), name="owner", value="Ivy Hidden")
        order(stack, "peerings", peering="hub-uks/to-fabrikam-uks", state="Disconnected")
        for place in ("hub-uks/snet-mgmt", "fabrikam-uks/snet-lab", "spoke-crm/snet-web"):
            order(stack, "nics/add", subnet=place, count=1, stem=f"late-{place.partition('/')[0]}", is_attached="true")
        estates.look()
        order(stack, "faults", kind="slow", delay_ms=20, every=1)
        admin.sync()
        order(stack, "faults/clear")
        until(pages["spokes"], has("late-spoke-crm"))
        until(pages["lab"], has("late-fabrikam-uks"))
        for page in pages.values():
            look_around(page)

        # A sync that one of them asks for, and one with a denied list, while both look at the sync page.
        for page in pages.values():
            page.goto("/syncs")
            expect(page.locator("#live-pill")).to_have_attribute("data-state", "live")
        order(stack, "access", subscription="contoso-prod", kind="networkInterfaces", access="deny")
        order(stack, "nics/remove", nic=next(one["name"] for one in admin.items("nics") if one["name"].startswith("late-spoke-crm")))
        pages["lab"].locator("[data-test=sync-start]").click()
        expect(pages["lab"].locator("[data-test=sync]")).to_have_attribute("data-state", re.compile("complete|partial"), timeout=60_000)
        admin.sync()
        nodes = node_ids(admin.get("topology"))
        for page in pages.values():
            look_around(page)
            ask_everything(page, nodes)
        order(stack, "access", subscription="contoso-prod", kind="networkInterfaces", access="allow")
        estates.look()

        for name, (_, subscription) in people.items():
            text = wires[name].text()
            for kept in ('"kind":"hello"', '"kind":"sync"', '"kind":"sync_progress"'):
                assert kept in text, "the socket's frames were kept, too"
            assert estates.ids[subscription] in text
            secrets = estates.secrets_from(subscription)
            assert len(secrets) > 100
            assert not (found := leaks(text, secrets)), f"{name} received {found}"
        for page in pages.values():
            page.context.close()


@pytest.mark.parametrize("mine", NAMED)
def test_a_token_for_one_subscription_gets_nothing_of_the_others(stack: Stack, estates: Estates, admin: Client, mine: str) -> None:
    client = Client(stack, f"only {mine}", "operator", estates.ids[mine])
    answers: list[Any] = []
    for slug in SLUGS:
        items = client.items(slug)
        assert {one["subscription_id"] for one in items} <= {estates.ids[mine]}
        answers += [items, client.get(f"{slug}?removed=true"), *(client.get(f"{slug}/{one['key']}") for one in items[:DETAILS])]
        foreign = [one for one in admin.items(slug) if one["subscription_id"] != estates.ids[mine]]
        unknown = client.ask(f"{slug}/{'a' * 26}")
        for one in foreign[:5]:
            assert client.ask(f"{slug}/{one['key']}") == unknown
            (found,) = client.ask("find", {"terms": [one["id"]]})[1]["items"]
            assert (found["state"], found["hits"]) == ("not_found", [])
    answers += [client.get("topology"), client.get("syncs"), client.sync()]
    answers += [client.get(f"syncs/{run['id']}") for run in client.get("syncs")["items"]]
    answers += [client.ask(f"topology/nodes/{node}") for node in node_ids(admin.get("topology"))]
    answers += [client.get(f"topology/find?q={term}") for term in ("o", "10.", "0")]
    assert not (found := leaks(json.dumps(answers, ensure_ascii=False), estates.secrets_from(mine))), f"received {found}"
    assert client.ask("syncs", {"subscription_ids": [estates.ids[one] for one in NAMED if one != mine]})[0] == 404
