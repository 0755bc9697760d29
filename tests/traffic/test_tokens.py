"""Collector tokens: made for a collector that there is, rotated with an overlap, revoked; each deed audited, no secret kept."""

import io
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate, make_load_balancer, make_nic, make_tap
from vtapweb.access.models import AuditEntry, Role, User
from vtapweb.access.selectors import token_digest
from vtapweb.domain.scope import Scope
from vtapweb.inventory.models import IpConfiguration, NetworkInterface
from vtapweb.traffic.actions.tokens import OVERLAP, token_create, token_revoke, token_rotate
from vtapweb.traffic.models import CollectorToken
from vtapweb.traffic.selectors.tokens import tokens_of

pytestmark = pytest.mark.django_db

ALL = Scope.everything()
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def estate() -> Estate:
    return make_estate()


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", role=Role.OPERATOR, has_all_subscriptions=True)


def balanced(estate: Estate) -> tuple[str, list[str]]:
    """The frontend of a collector with two members, and their NICs' ids."""
    members = tuple(make_nic(f"member-{one}-nic", subnet=estate.subnet, address=f"10.0.1.2{one}", mac=f"00-0D-3A-FE-00-0{one}") for one in (1, 2))
    balancer = make_load_balancer(subnet=estate.subnet, members=members)
    frontend = f"{balancer.arm_id}/frontendIPConfigurations/frontend"
    make_tap("tap-balanced", destination_id=frontend)
    return frontend, [one.arm_id for one in members]


def test_the_command_prints_the_secret_once_and_keeps_only_its_digest(estate: Estate) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("collector_token", "--destination", estate.tap.destination_id.upper(), stdout=out, stderr=err)
    secret = out.getvalue().strip()
    token = CollectorToken.objects.get()
    assert secret.startswith("vtc_")
    assert len(secret) > 40
    assert (token.digest, token.destination_key, token.destination_id) == (
        token_digest(secret),
        estate.tap.destination_key,
        estate.tap.destination_id,
    )
    assert (token.subscription_id, token.member_key, token.name) == (SUBSCRIPTION, "", "ipconfig1")
    assert secret not in str([field.value_from_object(token) for field in CollectorToken._meta.fields])
    assert secret not in err.getvalue()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == ("traffic.collector_token_created", "manage.py collector_token")
    assert entry.detail == {"destination": estate.tap.destination_id, "member": "", "expires_at": None}
    assert secret[12:] not in f"{entry.target} {entry.detail}"


def test_a_token_for_one_member_of_a_balanced_collector(estate: Estate) -> None:
    frontend, members = balanced(estate)
    out = io.StringIO()
    call_command("collector_token", "--destination", frontend, "--member", members[1].lower(), "--name", "probe 2", stdout=out, stderr=io.StringIO())
    token = CollectorToken.objects.get()
    assert (token.member_id, token.member_name, token.name) == (members[1], "member-2-nic", "probe 2")


def test_what_is_no_collector_or_no_member_is_said_clearly_and_makes_nothing(estate: Estate) -> None:
    frontend, _ = balanced(estate)
    refused = {
        "a part of it. Say: .*ipconfig1": ["--destination", estate.collector.arm_id],
        "a part of it. Say: .*frontend": ["--destination", frontend.rsplit("/", 2)[0]],
        "No TAP that is known here": ["--destination", f"{estate.nics[0].arm_id}/ipConfigurations/ipconfig1"],
        "No TAP that is known": ["--destination", "rubbish"],
        "No TAP that": ["--destination", estate.tap.arm_id],
        "app-01-nic is no member of this collector. Its members are: member-1-nic, member-2-nic": [
            "--destination", frontend, "--member", estate.nics[0].arm_id
        ],
    }  # fmt: skip
    for sentence, arguments in refused.items():
        with pytest.raises(CommandError, match=sentence):
            call_command("collector_token", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    NetworkInterface.objects.filter(key=estate.collector.key).update(removed_at=timezone.now())
    IpConfiguration.objects.filter(network_interface=estate.collector).update(removed_at=timezone.now())
    with pytest.raises(CommandError, match="gone from Azure"):
        call_command("collector_token", "--destination", estate.tap.destination_id, stdout=io.StringIO(), stderr=io.StringIO())
    assert not CollectorToken.objects.exists()
    assert not AuditEntry.objects.exists()


def test_only_for_a_collector_in_scope(estate: Estate, ada: User) -> None:
    elsewhere = Scope.of(["00000000-0000-0000-0000-000000000009"])
    with pytest.raises(ValidationError, match="outside of what you may see"):
        token_create(scope=elsewhere, destination_id=estate.tap.destination_id, acting_user=ada)
    with pytest.raises(ValidationError, match="No TAP"):
        token_create(scope=elsewhere, destination_id=estate.collector.arm_id, acting_user=ada)
    token, _ = token_create(scope=Scope.of([SUBSCRIPTION]), destination_id=estate.tap.destination_id, acting_user=ada)
    for deed in (token_rotate, token_revoke):
        with pytest.raises(ValidationError, match="outside of what you may see"):
            deed(token=token, scope=elsewhere, acting_user=ada)
    assert list(tokens_of(elsewhere, token.destination_key)) == []
    assert list(tokens_of(ALL, token.destination_key)) == [token]


def test_a_rotated_token_goes_on_working_for_the_overlap(estate: Estate, ada: User) -> None:
    with time_machine.travel(NOON, tick=False):
        old, first = token_create(scope=ALL, destination_id=estate.tap.destination_id, name="probe", acting_user=ada)
        new, second = token_rotate(token=old, scope=ALL, acting_user=ada)
        old.refresh_from_db()
    assert first != second
    assert (new.name, new.destination_key, new.replaces, new.expires_at) == ("probe", old.destination_key, old, None)
    assert old.expires_at == NOON + OVERLAP
    assert old.is_live(NOON + OVERLAP - timedelta(seconds=1))
    assert not old.is_live(NOON + OVERLAP)
    assert new.is_live(NOON + OVERLAP)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.detail["replaces"]) == ("traffic.collector_token_rotated", str(old))
    with time_machine.travel(NOON, tick=False), pytest.raises(ValidationError, match="rotated before"):
        token_rotate(token=old, scope=ALL, acting_user=ada)
    with time_machine.travel(NOON, tick=False), pytest.raises(ValidationError, match="between 0 and 30 days"):
        token_rotate(token=new, scope=ALL, overlap=timedelta(days=31), acting_user=ada)


def test_a_rotation_never_prolongs_the_old_token(estate: Estate, ada: User) -> None:
    soon = timezone.now() + timedelta(hours=1)
    old, _ = token_create(scope=ALL, destination_id=estate.tap.destination_id, expires_at=soon, acting_user=ada)
    token_rotate(token=old, scope=ALL, acting_user=ada)
    old.refresh_from_db()
    assert old.expires_at == soon
    with pytest.raises(ValidationError, match="ended before it begins"):
        token_create(scope=ALL, destination_id=estate.tap.destination_id, expires_at=timezone.now(), acting_user=ada)


def test_revoking_twice_is_recorded_once_and_what_has_ended_is_not_rotated(estate: Estate, ada: User) -> None:
    token, _ = token_create(scope=ALL, destination_id=estate.tap.destination_id, acting_user=ada)
    token_revoke(token=token, scope=ALL, acting_user=ada)
    token_revoke(token=token, scope=ALL, acting_user=ada)
    assert AuditEntry.objects.filter(action="traffic.collector_token_revoked", actor="ada", target=str(token)).count() == 1
    with pytest.raises(ValidationError, match="has ended"):
        token_rotate(token=token, scope=ALL, acting_user=ada)
