"""Expiry: a change of its own, announced before, in the next window, overdue until done; it fails open and never in a loop."""

import re
from datetime import UTC, datetime, time, timedelta

import pytest
import time_machine
from django.test import Client

from tests.inventory.factories import NOW, SUBSCRIPTION, Estate
from tests.taps.people import person, token_viewer
from tests.taps.played import play
from tests.taps.test_plan import OTHER, make_world, plan
from vtapweb.access.models import AuditEntry, User
from vtapweb.access.role import Role
from vtapweb.domain.scope import Scope
from vtapweb.taps.actions.advance import change_finish
from vtapweb.taps.actions.apply import change_cancel
from vtapweb.taps.actions.expiry import expiry_perform, next_window
from vtapweb.taps.actions.ledger import mirror_began, mirror_ended
from vtapweb.taps.endings import endings
from vtapweb.taps.models import Change, ChangeWindow, Mirror, SubscriptionWrites, WriteStop
from vtapweb.taps.selectors.changes import plan_view
from vtapweb.taps.selectors.expiry import expiring, overdue

pytestmark = pytest.mark.django_db
EXPIRES = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ALL = Scope.everything()


@pytest.fixture
def change() -> Change:
    """Four NICs mirrored by a change that expires at EXPIRES; writes are enabled."""
    estate: Estate = make_world()
    SubscriptionWrites.objects.create(
        subscription_id=SUBSCRIPTION, is_enabled=True, by="ada", at=NOW, preview_accepted_by="ada", preview_accepted_at=NOW
    )
    found = play(plan(estate, expires_at=EXPIRES.isoformat()))
    for step in found.steps.all():
        mirror_began(step=step, at=NOW)
    return found


def expiry_state(change: Change, now: datetime) -> str:
    view = plan_view(ALL, change.pk)
    assert view is not None
    return view.expiry_state(now)


def only_expiry() -> Change:
    return Change.objects.get(plan__is_expiry=True)


def test_it_is_announced_a_day_before_and_begins_when_it_is_due(change: Change) -> None:
    assert expiry_perform(now=EXPIRES - DAY - MINUTE) == ([], [])
    assert expiry_state(change, EXPIRES - DAY) == "ahead"
    planned, begun = expiry_perform(now=EXPIRES - DAY + MINUTE)
    assert expiry_state(change, EXPIRES - HOUR) == "announced"
    expiry = only_expiry()
    assert (planned, begun) == ([expiry.pk], [])
    assert (expiry.action, expiry.expiry_of, expiry.state, expiry.window_opens_at) == ("untap", change, "planned", EXPIRES)
    assert expiry.reason == f"Expiry of change {change.pk}: INC-7: odd DNS"
    assert (expiry.created_by_name, expiry.steps.count()) == ("vtapweb (expiry)", 4)
    assert expiry_perform(now=EXPIRES - HOUR) == ([], [])
    assert expiry_perform(now=EXPIRES + MINUTE) == ([], [expiry.pk])
    expiry.refresh_from_db()
    assert (expiry.state, expiry.applied_by_name) == ("applying", "vtapweb (expiry)")
    assert AuditEntry.objects.get(action="taps.change_started").actor == "vtapweb (expiry)"
    assert expiry_perform(now=EXPIRES + 2 * MINUTE) == ([], [])
    assert expiry_state(change, EXPIRES + MINUTE) == "overdue"
    play(expiry)
    for step in expiry.steps.all():
        mirror_ended(step=step, at=EXPIRES + HOUR)
    assert not overdue(ALL, now=EXPIRES + DAY).exists()
    assert expiry_state(change, EXPIRES + DAY) == "done"
    assert expiry_perform(now=EXPIRES + DAY) == ([], [])


def test_it_waits_for_the_next_window_with_summer_time(change: Change) -> None:
    values = {"weekdays": [5], "opens": time(22), "closes": time(2), "zone": "Europe/London", "by": "ada", "at": NOW}
    ChangeWindow.objects.create(name="Saturday night", **values)
    expiry_perform(now=EXPIRES - HOUR)
    expiry = only_expiry()
    assert (expiry.window_opens_at, expiry.window_closes_at) == (datetime(2026, 12, 5, 22, tzinfo=UTC), datetime(2026, 12, 6, 2, tzinfo=UTC))
    assert expiry_perform(now=EXPIRES + DAY) == ([], [])
    assert overdue(ALL, now=EXPIRES + DAY).count() == 4
    # The window passed while vtapweb was down: it is the next one's.
    assert expiry_perform(now=datetime(2026, 12, 6, 3, tzinfo=UTC)) == ([], [])
    expiry.refresh_from_db()
    assert (expiry.window_opens_at, expiry.window_zone) == (datetime(2026, 12, 12, 22, tzinfo=UTC), "Europe/London")
    july = next_window(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
    assert july is not None
    assert july.opens_at == datetime(2026, 7, 4, 21, tzinfo=UTC)


def test_what_may_not_be_written_stays_overdue(change: Change) -> None:
    WriteStop.objects.update_or_create(pk=1, defaults={"is_stopped": True, "reason": "incident", "by": "ada", "at": NOW})
    planned, begun = expiry_perform(now=EXPIRES + MINUTE)
    assert (len(planned), begun, only_expiry().state) == (1, [], "planned")
    assert overdue(ALL, now=EXPIRES + MINUTE).count() == 4
    assert expiry_perform(now=EXPIRES + HOUR) == ([], [])
    WriteStop.objects.update(is_stopped=False)
    assert expiry_perform(now=EXPIRES + 2 * HOUR) == ([], planned)


def test_what_failed_is_tried_again_later_and_what_was_cancelled_is_not(change: Change) -> None:
    expiry_perform(now=EXPIRES + MINUTE)
    first = play(only_expiry(), failed={"app-01-nic"})
    Change.objects.filter(pk=first.pk).update(finished_at=EXPIRES + MINUTE)
    for step in first.steps.filter(state="verified"):
        mirror_ended(step=step, at=EXPIRES + MINUTE)
    assert expiry_perform(now=EXPIRES + HOUR) == ([], [])
    (second,), begun = expiry_perform(now=EXPIRES + 2 * HOUR)
    assert begun == [second]
    assert [step.nic_name for step in Change.objects.get(pk=second).steps.all()] == ["app-01-nic"]
    change_cancel(change=Change.objects.get(pk=second), acting_user=token_viewer(Role.OPERATOR))
    assert expiry_perform(now=EXPIRES + DAY) == ([], [])
    assert [one.nic_name for one in overdue(ALL, now=EXPIRES + DAY)] == ["app-01-nic"]


def test_adopted_mirrors_expire_too(change: Change) -> None:
    Mirror.objects.update(origin="adopted", began_change=None, owner="soc", reason="kept", expires_at=EXPIRES)
    expiry_perform(now=EXPIRES - HOUR)
    assert (only_expiry().expiry_of, only_expiry().reason) == (None, "Expiry of what soc adopted: kept")
    assert expiry_perform(now=EXPIRES - MINUTE) == ([], [])


def shown(path: str) -> str:
    """The words of a page, as an operator reads it."""
    client = Client()
    client.force_login(person(Role.OPERATOR, name="olga") if not User.objects.filter(username="olga").exists() else User.objects.get(username="olga"))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(path).content.decode()))


def test_what_expires_is_listed_announced_and_overdue_until_it_is_gone(change: Change) -> None:
    nic_key = change.steps.get(ordinal=1).nic_key
    with time_machine.travel(EXPIRES - 2 * DAY, tick=False):
        assert "Nothing expires within a day" in shown("/expiring")
        assert "Expires in 2 d: the change that untaps it is planned a day before." in shown(f"/nics/{nic_key}")
    with time_machine.travel(EXPIRES - 20 * HOUR, tick=False):
        expiry_perform(now=EXPIRES - 20 * HOUR)
        number = only_expiry().pk
        words = f"Expires in 20 h: it will be untapped by change {number} in the window 2026-12-01 12:00 – 2026-12-02 12:00 UTC."
        assert shown("/expiring").count(words) == 4
        assert words in shown(f"/nics/{nic_key}")
        assert "4 expire within a day. See them" in shown("/changes")
        assert "0 overdue" in shown("/expiring")
    with time_machine.travel(EXPIRES + HOUR, tick=False):
        WriteStop.objects.update_or_create(pk=1, defaults={"is_stopped": True, "reason": "incident", "by": "ada", "at": NOW})
        expiry_perform(now=EXPIRES + HOUR)
        assert shown("/expiring").count(f"Overdue for 1 h: change {number} could not begin to untap it yet, so it stays until it can.") == 4
        assert "4 overdue mirrors were to end and are still there." in shown("/changes")
        assert "4 overdue" in shown("/unaccounted/counts")
    Mirror.objects.update(state="ended", ended_at=EXPIRES)
    with time_machine.travel(EXPIRES + 2 * HOUR, tick=False):
        assert "Nothing expires within a day" in shown("/expiring")


def test_the_end_of_every_mirror_says_what_follows(change: Change) -> None:
    life = Mirror.objects.first()
    assert life is not None
    expiry_perform(now=EXPIRES - HOUR)
    expiry = only_expiry()

    def words(state: str, **fields: object) -> str:
        for name, value in {"state": state, **fields}.items():
            setattr(expiry, name, value)
        (found,) = endings([life], {life.tap_configuration_key: expiry}, EXPIRES + MINUTE)
        return found.words.replace(str(expiry.pk), "N")

    assert words("applying") == "Overdue for 1 min: change N is untapping it."
    assert words("paused") == "Overdue for 1 min: change N, which untaps it, is paused."
    assert words("handed_over") == "Overdue for 1 min: change N, which untaps it, was handed over."
    ended = {"finished_at": EXPIRES}
    assert "was cancelled, so it stays until somebody decides" in words("cancelled", **ended)
    assert "change N has not untapped it; it is planned again an hour later" in words("failed", **ended)
    assert "it could not be planned to untap it" in words("applied", finished_at=EXPIRES, created_at=NOW - DAY), "an earlier mirror's"


def test_the_change_that_leaves_something_overdue_says_so(change: Change) -> None:
    expiry_perform(now=EXPIRES + MINUTE)
    expiry = only_expiry()
    done, *rest = expiry.steps.order_by("ordinal")
    expiry.steps.filter(pk=done.pk).update(state="verified", verified_at=EXPIRES, ended_at=EXPIRES, sent_at=EXPIRES)
    expiry.steps.filter(pk__in=[one.pk for one in rest]).update(state="failed", error_code="NicIsTired", ended_at=EXPIRES)
    change_finish(expiry)
    expiry.refresh_from_db()
    assert (expiry.state, expiry.stop_code) == ("partly_applied", "overdue")
    assert expiry.stop_reason == "3 mirrors whose time is up are still there: they stay overdue until a later change, or somebody, untaps them."
    assert expiry.stop_reason in shown(f"/changes/{expiry.pk}")


def test_overdue_mirrors_are_seen_in_scope(change: Change) -> None:
    assert expiring(Scope.of([SUBSCRIPTION]), before=EXPIRES + MINUTE).count() == 4
    assert not expiring(Scope.of([OTHER]), before=EXPIRES + MINUTE).exists()


def renewed(nic_name: str, *, at: datetime, expires_at: datetime | None) -> None:
    """Somebody took that NIC's mirror off and made it again, with another end."""
    old = Mirror.objects.get(nic_name=nic_name, ended_at=None)
    Mirror.objects.filter(pk=old.pk).update(state="ended", ended_at=at)
    old.pk, old.began_at, old.first_seen_at, old.expires_at = None, at, at, expires_at
    old.save(force_insert=True)


def test_a_mirror_that_was_made_anew_since_is_not_taken_off_by_the_old_plan(change: Change) -> None:
    expiry_perform(now=EXPIRES - HOUR)
    renewed("app-01-nic", at=EXPIRES - MINUTE, expires_at=None)
    assert expiry_perform(now=EXPIRES + MINUTE) == ([], [only_expiry().pk])
    skipped = only_expiry().steps.get(state="skipped")
    assert (skipped.nic_name, skipped.skip_code) == ("app-01-nic", "not_expired")
    assert only_expiry().steps.filter(state="pending").count() == 3


def test_an_expiry_of_which_nothing_is_left_ends_and_the_next_life_expires_as_any(change: Change) -> None:
    expiry_perform(now=EXPIRES - HOUR)
    first = only_expiry()
    for number in range(1, 5):
        renewed(f"app-0{number}-nic", at=EXPIRES - MINUTE, expires_at=EXPIRES + 10 * DAY)
    assert expiry_perform(now=EXPIRES + MINUTE) == ([], [])
    first.refresh_from_db()
    assert first.state == "cancelled"
    (second,), begun = expiry_perform(now=EXPIRES + 10 * DAY + HOUR)
    assert begun == [second]
