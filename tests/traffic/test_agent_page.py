"""`/collectors/<key>/agent`: tokens made, rotated and revoked by people, the line that installs, and the agent as a download."""

import hashlib
import re
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate, make_load_balancer, make_nic, make_tap
from vtapweb.access.models import AuditEntry, Role, SubscriptionGrant, User
from vtapweb.access.selectors import token_digest
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import VirtualNetworkTap
from vtapweb.traffic.actions.tokens import token_create
from vtapweb.traffic.models import CollectorToken

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

AGENT = Path(__file__).resolve().parent.parent.parent / "vtapweb" / "agent" / "vtap_agent.py"
PROMISE = "It counts headers; it never reads, keeps or sends payload."


@pytest.fixture
def estate() -> Estate:
    return make_estate()


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_user("olu", role=Role.OPERATOR, has_all_subscriptions=True))
    return client


def page_of(estate: Estate) -> str:
    return f"/collectors/{estate.tap.destination_key}/agent"


def secret_in(text: str) -> str:
    found = re.search(r'id="secret">(vtc_[^<]+)<', text)
    assert found is not None, "no secret is shown"
    return found[1]


@pytest.mark.both_databases
def test_a_token_is_made_and_its_secret_shown_once_with_the_line_that_installs(operator: Client, estate: Estate) -> None:
    empty = operator.get(page_of(estate)).content.decode()
    assert PROMISE in empty
    assert "curl -fsSO http://testserver/agent/install.sh &amp;&amp; sudo sh install.sh --server http://testserver<" in empty
    assert hashlib.sha256(AGENT.read_bytes()).hexdigest() in empty
    answer = operator.post(page_of(estate), {"name": "probe <1>", "member": "", "days": "30"})
    text = answer.content.decode()
    secret = secret_in(text)
    token = CollectorToken.objects.get()
    assert (answer.status_code, token.digest, token.name) == (200, token_digest(secret), "probe <1>")
    assert token.expires_at is not None
    assert token.created_by is not None
    assert text.count(secret) == 1, "not in a line that a shell remembers"
    assert "no-store" in answer["Cache-Control"]
    again = operator.get(page_of(estate)).content.decode()
    assert secret not in again
    assert token.prefix in again
    assert "probe &lt;1&gt;" in again
    assert AuditEntry.objects.get(action="traffic.collector_token_created").actor == "olu"


def test_a_token_for_a_member_and_for_none(operator: Client, estate: Estate) -> None:
    members = tuple(make_nic(f"member-{one}-nic", subnet=estate.subnet, address=f"10.0.1.2{one}", mac=f"00-0D-3A-FE-00-0{one}") for one in (1, 2))
    balancer = make_load_balancer(subnet=estate.subnet, members=members)
    tap = make_tap("tap-balanced", destination_id=f"{balancer.arm_id}/frontendIPConfigurations/frontend")
    page = f"/collectors/{tap.destination_key}/agent"
    assert "member-2-nic" in operator.get(page).content.decode()
    secret_in(operator.post(page, {"member": members[1].arm_id}).content.decode())
    assert CollectorToken.objects.get().member_key == members[1].key
    wrong = operator.post(page, {"member": estate.nics[0].arm_id})
    assert wrong.status_code == 400
    assert CollectorToken.objects.count() == 1


@pytest.mark.both_databases
def test_rotating_shows_the_new_secret_and_lets_the_old_one_work_on(operator: Client, estate: Estate) -> None:
    old, _ = token_create(scope=Scope.everything(), destination_id=estate.tap.destination_id, name="probe", actor="the test")
    answer = operator.post(f"{page_of(estate)}/{old.pk}/rotate", {"overlap": "24"})
    text = answer.content.decode()
    secret = secret_in(text)
    assert (answer.status_code, "works on until then" in text) == (200, True)
    old.refresh_from_db()
    assert CollectorToken.objects.get(replaces=old).digest == token_digest(secret)
    assert old.is_live(timezone.now())
    assert operator.post(f"{page_of(estate)}/{old.pk}/rotate", {"overlap": "24"}).status_code == 302, "told beside the list"
    assert operator.post(f"{page_of(estate)}/{old.pk}/rotate", {"overlap": "9999"}).status_code == 404
    assert CollectorToken.objects.count() == 2


@pytest.mark.both_databases
def test_revoking_ends_it_and_the_list_says_so(operator: Client, estate: Estate) -> None:
    token, _ = token_create(scope=Scope.everything(), destination_id=estate.tap.destination_id, name="probe", actor="the test")
    text = operator.post(f"{page_of(estate)}/{token.pk}/revoke", follow=True).content.decode()
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert "gets 401 within 5 s" in text
    assert 'data-test="token-revoke"' not in text


@pytest.mark.both_databases
def test_tokens_of_a_collector_that_no_tap_leads_to_any_more_can_be_revoked(operator: Client, estate: Estate) -> None:
    token, _ = token_create(scope=Scope.everything(), destination_id=estate.tap.destination_id, actor="the test")
    VirtualNetworkTap.objects.update(removed_at=timezone.now())
    for nic in estate.nics:
        nic.tap_configurations.update(removed_at=timezone.now())
    text = operator.get(page_of(estate)).content.decode()
    assert 'data-test="no-collector"' in text
    assert 'data-test="token-form"' not in text
    assert operator.post(f"{page_of(estate)}/{token.pk}/revoke").status_code == 302
    assert operator.post(page_of(estate), {}).status_code == 200
    assert CollectorToken.objects.count() == 1


@pytest.mark.both_databases
def test_a_viewer_looks_and_whoever_may_not_see_the_collector_gets_nothing(client: Client, estate: Estate) -> None:
    token, _ = token_create(scope=Scope.everything(), destination_id=estate.tap.destination_id, name="probe", actor="the test")
    viewer = User.objects.create_user("vi", role=Role.VIEWER)
    SubscriptionGrant.objects.create(user=viewer, subscription_id=SUBSCRIPTION)
    client.force_login(viewer)
    text = client.get(page_of(estate)).content.decode()
    assert "probe" in text
    assert 'data-test="why-not"' in text
    assert 'data-test="token-form"' not in text
    for path in ("", f"/{token.pk}/rotate", f"/{token.pk}/revoke"):
        assert client.post(page_of(estate) + path, {"overlap": "24"}).status_code == 403
    stranger = User.objects.create_user("stra", role=Role.OPERATOR)
    SubscriptionGrant.objects.create(user=stranger, subscription_id="00000000-0000-0000-0000-000000000009")
    client.force_login(stranger)
    assert client.get(page_of(estate)).status_code == 404
    for path in ("", f"/{token.pk}/rotate", f"/{token.pk}/revoke"):
        assert client.post(page_of(estate) + path, {"overlap": "24"}).status_code == 404
    assert CollectorToken.objects.count() == 1


def test_the_agent_is_there_for_a_machine_without_a_session(client: Client) -> None:
    for name, content_type in (("vtap_agent.py", "text/x-python"), ("install.sh", "text/x-shellscript")):
        answer = client.get(f"/agent/{name}")
        assert (answer.status_code, answer.content) == (200, (AGENT.parent / name).read_bytes())
        assert answer["Content-Type"].startswith(content_type)
    assert client.get("/agent/__init__.py").status_code in {302, 404}
    assert client.post("/agent/vtap_agent.py").status_code == 405


def test_the_page_asks_as_often_for_one_token_as_for_many(operator: Client, estate: Estate) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(page_of(estate)).status_code == 200
        return len(queries)

    token_create(scope=Scope.everything(), destination_id=estate.tap.destination_id, actor="the test")
    one = asked()
    for _ in range(5):
        token_create(scope=Scope.everything(), destination_id=estate.tap.destination_id, actor="the test")
    assert asked() == one
