"""Power is off first: who may switch writing on, what stops it, and what is remembered of that."""

import io

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.inventory.factories import SUBSCRIPTION, make_subscription
from tests.taps.people import token_viewer, viewer
from vtapweb.access.models import AuditEntry
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.taps.actions.writes import writes_disable, writes_enable, writes_require_window, writes_resume, writes_stop
from vtapweb.taps.models import SubscriptionWrites, WriteStop
from vtapweb.taps.selectors.writes import subscriptions_with_writes, writes_allowed, writes_states
from vtapweb.web.problem import ProblemError

pytestmark = pytest.mark.django_db

OTHER = "5a000000-0000-0000-0000-000000000002"
EVERYTHING = Scope.everything()


@pytest.fixture(autouse=True)
def _real_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CLOUD", "custom")
    make_subscription()
    make_subscription(OTHER, name="corp-apps")


def enable(*ids: str, reason: str = "pilot, CHG-7", notice: bool = True, **who: object) -> None:
    writes_enable(subscription_ids=ids or [SUBSCRIPTION], reason=reason, is_notice_accepted=notice, **(who or {"actor": "the test"}))  # type: ignore[arg-type]


@pytest.mark.parametrize(("cloud", "allowed"), [("simulator", True), ("custom", False), ("public", False), ("", False)])
def test_only_the_simulator_starts_enabled(monkeypatch: pytest.MonkeyPatch, cloud: str, allowed: bool) -> None:
    monkeypatch.setattr(settings, "CLOUD", cloud)
    state = writes_allowed(SUBSCRIPTION)
    assert state.is_allowed is allowed
    assert ("read-only" in state.refusal) is not allowed


def test_enabling_is_by_name_with_the_notice_accepted_and_audited() -> None:
    ada = viewer(Role.ADMIN, name="ada")
    enable(SUBSCRIPTION.upper(), acting_user=ada)
    assert writes_allowed(SUBSCRIPTION).is_allowed
    assert not writes_allowed(OTHER).is_allowed
    row = SubscriptionWrites.objects.get()
    assert (row.subscription_id, row.by, row.preview_accepted_by, row.reason) == (SUBSCRIPTION, "ada", "ada", "pilot, CHG-7")
    assert row.preview_accepted_at is not None
    entry = AuditEntry.objects.get(action="taps.writes_enabled")
    assert (entry.actor, entry.user, entry.target, entry.reason) == ("ada", ada.user, f"subscription {SUBSCRIPTION}", "pilot, CHG-7")
    writes_disable(subscription_ids=[SUBSCRIPTION], reason="over", acting_user=ada)
    assert not writes_allowed(SUBSCRIPTION).is_allowed
    assert AuditEntry.objects.filter(action="taps.writes_disabled", reason="over").exists()


@pytest.mark.parametrize(
    ("ids", "reason", "notice", "says"),
    [
        ((SUBSCRIPTION,), "  ", True, "reason"),
        ((SUBSCRIPTION,), "because", False, "preview"),
        (("  ",), "because", True, "at least one"),
        ((SUBSCRIPTION, "7f000000-0000-0000-0000-00000000000f"), "because", True, "7f000000"),
    ],
)
def test_what_lacks_something_enables_nothing(ids: tuple[str, ...], reason: str, notice: bool, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        enable(*ids, reason=reason, notice=notice)
    assert not SubscriptionWrites.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_admins_switch(role: Role) -> None:
    who = viewer(role)
    for deed in (
        lambda: enable(acting_user=who),
        lambda: writes_disable(subscription_ids=[SUBSCRIPTION], reason="x", acting_user=who),
        lambda: writes_stop(reason="x", acting_user=who),
        lambda: writes_resume(reason="x", acting_user=who),
        lambda: writes_require_window(subscription_ids=[SUBSCRIPTION], is_required=True, acting_user=who),
    ):
        with pytest.raises(ProblemError, match="role admin"):
            deed()
    assert not AuditEntry.objects.exists()


def test_an_admin_token_of_one_subscription_switches_that_one_alone_and_may_stop_but_not_resume() -> None:
    limited = token_viewer(Role.ADMIN, OTHER)
    with pytest.raises(ValidationError, match="Not known here"):
        enable(SUBSCRIPTION, acting_user=limited)
    enable(OTHER, acting_user=limited)
    assert writes_stop(reason="odd", acting_user=limited)
    with pytest.raises(ProblemError, match="only some subscriptions"):
        writes_resume(reason="fine", acting_user=limited)


def test_the_stop_goes_before_everything_and_is_lifted_once() -> None:
    enable()
    assert writes_stop(reason="an outage", actor="the test")
    assert not writes_stop(reason="again", actor="the test")
    state = writes_allowed(SUBSCRIPTION)
    assert state.is_enabled
    assert not state.is_allowed
    assert "the test" in state.refusal
    assert "an outage" in state.refusal
    assert writes_resume(reason="over", actor="the test")
    assert not writes_resume(reason="over", actor="the test")
    assert writes_allowed(SUBSCRIPTION).is_allowed
    assert [one.action for one in AuditEntry.objects.order_by("pk")][1:] == ["taps.writes_stopped", "taps.writes_resumed"]


def test_a_window_may_be_required_without_switching_anything() -> None:
    ada = viewer(Role.ADMIN)
    assert writes_require_window(subscription_ids=[SUBSCRIPTION], is_required=True, acting_user=ada)
    assert writes_require_window(subscription_ids=[SUBSCRIPTION], is_required=True, acting_user=ada) == []
    assert writes_allowed(SUBSCRIPTION).requires_window
    assert not writes_allowed(SUBSCRIPTION).is_enabled
    enable()
    assert writes_allowed(SUBSCRIPTION).requires_window
    writes_require_window(subscription_ids=[SUBSCRIPTION], is_required=False, acting_user=ada)
    assert not writes_allowed(SUBSCRIPTION).requires_window
    assert writes_allowed(SUBSCRIPTION).is_enabled


def test_a_window_required_on_the_simulator_leaves_it_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "CLOUD", "simulator")
    writes_require_window(subscription_ids=[SUBSCRIPTION], is_required=True, acting_user=viewer(Role.ADMIN))
    assert writes_allowed(SUBSCRIPTION).is_allowed


def test_the_database_keeps_one_stop_and_no_enabled_row_without_the_notice() -> None:
    now = timezone.now()
    with pytest.raises(IntegrityError), transaction.atomic():
        WriteStop.objects.create(pk=2, by="x", at=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        SubscriptionWrites.objects.create(subscription_id=SUBSCRIPTION, is_enabled=True, by="x", at=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        SubscriptionWrites.objects.create(subscription_id=SUBSCRIPTION.upper(), by="x", at=now)


def test_what_is_out_of_scope_is_neither_told_nor_allowed() -> None:
    enable(SUBSCRIPTION, OTHER)
    mine = Scope.of([OTHER])
    assert list(writes_states(mine, [SUBSCRIPTION, OTHER.upper()])) == [OTHER]
    assert not writes_allowed(SUBSCRIPTION, scope=mine).is_allowed
    assert [row.subscription_id for row, _ in subscriptions_with_writes(mine)] == [OTHER]


@pytest.mark.parametrize("more", [0, 12])
def test_states_cost_the_same_for_few_and_many(more: int) -> None:
    for number in range(more):
        make_subscription(f"6b000000-0000-0000-0000-0000000000{number:02x}", name=f"more-{number}")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(subscriptions_with_writes(EVERYTHING)) == 2 + more
    assert len(queries) == 3


# -- the command


def run(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("writes", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_enables_prints_the_notice_and_the_state() -> None:
    told, notice = run("--enable", "--subscription", SUBSCRIPTION, "--reason", "pilot")
    assert "public preview" in notice
    assert f"enabled    {SUBSCRIPTION}  corp-net" in told
    assert f"read-only  {OTHER}  corp-apps, as it started" in told
    row = SubscriptionWrites.objects.get()
    assert row.preview_accepted_by.startswith("manage.py writes")
    told, _ = run("--enable", "--all", "--reason", "pilot")
    assert told.count("enabled  ") == 2
    told, _ = run("--disable", "--all", "--reason", "over")
    assert told.count("read-only  ") == 2
    assert AuditEntry.objects.filter(action__in=["taps.writes_enabled", "taps.writes_disabled"]).count() == 5


def test_the_command_stops_and_resumes() -> None:
    told, _ = run("--stop", "--reason", "an\u202eoutage")
    assert "ALL WRITES ARE STOPPED" in told
    assert "⟨U+202E⟩" in told
    told, _ = run("--resume", "--reason", "over")
    assert "STOPPED" not in told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--enable", "--reason", "x"), "Say which"),
        (("--enable", "--all"), "reason"),
        (("--enable", "--subscription", "nothing", "--reason", "x"), "Not known here: nothing"),
        (("--resume",), "reason"),
    ],
)
def test_the_command_says_what_it_lacks(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run(*words)
    assert not SubscriptionWrites.objects.exists()
    assert not WriteStop.objects.exists()


def test_the_command_before_the_first_sync() -> None:
    from vtapweb.inventory.models import Subscription

    Subscription.objects.all().delete()
    with pytest.raises(CommandError, match="Run a sync first"):
        run("--enable", "--all", "--reason", "x")
    told, _ = run()
    assert "Run a sync first" in told
