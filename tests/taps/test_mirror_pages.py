"""The way to a plan: chooser, pairs, form. What may go where and why not; roles and scope; nothing typed is lost."""

import html
import re
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.inventory.factories import Estate, make_estate, make_nic, make_subnet, make_tap, make_tap_configuration, make_vnet
from tests.inventory.pages import queries_of, signed_in
from tests.taps.conditions import make_all_read, make_conditions
from tests.taps.played import play
from vtapweb.access.models import AuditEntry
from vtapweb.domain.arm_id import arm_key
from vtapweb.inventory.models import VirtualNetworkPeering
from vtapweb.taps.models import Change, ChangeWindow, SubscriptionConditions

pytestmark = pytest.mark.one_database
HOSTILE = "x</td><script>alert(1)</script>\u202egpj"


def estate_read(*, nics: int = 4, mirrored: int = 1) -> Estate:
    """The small estate, of which vtapweb knows and may do everything."""
    estate = make_estate(nics=nics, mirrored=mirrored)
    make_conditions()
    make_all_read()
    return estate


def words_of(answer: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def select_of(estate: Estate, *numbers: int) -> str:
    return ",".join(estate.nics[number].key for number in numbers)


def plan_fields(estate: Estate, *numbers: int, **changes: str) -> dict[str, str]:
    fields = {
        "action": "tap", "select": select_of(estate, *numbers), "tap": estate.tap.key, "zone": "Europe/Berlin", "reason": "INC-7: odd DNS",
        "ticket": "CHG-1", "window": "now", "pace_first": "1", "pace_wave": "5", "settle_s": "2",
    }  # fmt: skip
    return {**fields, **changes}


@pytest.mark.both_databases
@pytest.mark.django_db
def test_the_chooser_sorts_taps_by_how_many_may_go_there_and_greys_the_rest_with_a_reason() -> None:
    estate = estate_read()
    far = make_nic(
        "nic-far", subnet=make_subnet("far", vnet=make_vnet("island", prefixes=("10.9.0.0/16",))), address="10.9.0.4", mac="00-0D-3A-FF-00-09"
    )
    make_tap("a-tap-nobody-reaches", destination_id=f"{far.arm_id}/ipConfigurations/ipconfig1")
    answer = signed_in("operator").get(f"/mirror?select={select_of(estate, 1, 2)}")
    page = answer.content.decode()
    order = [page.index(f'data-name="{name}"') for name in ("tap-collector", "a-tap-nobody-reaches")]
    assert order == sorted(order)
    assert 'data-name="tap-collector" data-may="yes"' in page
    assert 'data-name="a-tap-nobody-reaches" data-may="no"' in page
    assert "Rule reachable" in words_of(answer)
    assert len(re.findall(r'name="tap" value="[a-z2-7]{26}" required checked', page)) == 1


@pytest.mark.django_db
def test_a_nic_that_no_tap_may_take_stands_apart_and_one_click_drops_it() -> None:
    estate = estate_read()
    loose = make_nic("loose-nic", subnet=estate.spoke_subnet, vm=None, address="10.1.1.77")
    client = signed_in("operator")
    answer = client.get(f"/mirror?select={estate.nics[1].key},{loose.key}")
    words = words_of(answer)
    assert "1 of 2 NICs can be mirrored to at least one TAP." in words
    assert "1 NIC can't be mirrored to any TAP" in words
    assert "Rule source-attached" in words
    drop = re.search(r'href="([^"]+)" data-test="drop"', answer.content.decode())
    assert drop is not None
    address = html.unescape(drop.group(1))
    assert parse_qs(urlsplit(address).query)["select"] == [estate.nics[1].key]
    assert 'data-test="cannot"' not in client.get(address).content.decode()


@pytest.mark.django_db
def test_what_is_no_nic_that_one_may_see_is_counted_never_dropped_in_silence() -> None:
    estate = estate_read()
    client = signed_in("operator")
    words = words_of(client.get(f"/mirror?select={estate.nics[1].key},{arm_key('/gone')}"))
    assert "1 resource of this selection is no NIC that you can see here" in words
    assert client.get(f"/mirror?select={arm_key('/gone')}").status_code == 404
    nothing = client.get("/mirror")
    assert nothing.status_code == 404
    assert 'href="/find"' in nothing.content.decode()
    assert client.get("/mirror?select=@abcdefghijkl").status_code == 404


@pytest.mark.both_databases
@pytest.mark.django_db
def test_without_a_tap_the_chooser_says_what_is_needed() -> None:
    estate = estate_read(mirrored=0)
    estate.tap.delete()
    answer = signed_in("operator").get(f"/mirror?select={select_of(estate, 0)}")
    assert "There is no TAP to mirror to" in words_of(answer)
    assert 'hx-get="/partners"' in answer.content.decode()


@pytest.mark.django_db
def test_every_rule_of_every_pair_is_there_on_demand() -> None:
    estate = estate_read()
    address = f"/mirror/pairs?select={select_of(estate, 0, 1)}&tap={estate.tap.key}"
    words = words_of(signed_in("viewer").get(address, headers={"HX-Request": "true"}))
    assert "app-01-nic" in words
    assert "Rule one-config-per-nic" in words
    assert "Rule same-region" in words


@pytest.mark.django_db
def test_a_viewer_sees_the_choice_with_the_reason_why_he_cannot_plan() -> None:
    estate = estate_read()
    client = signed_in("viewer")
    answer = client.get(f"/mirror?select={select_of(estate, 1)}")
    assert "Planning needs the role operator; yours is viewer." in words_of(answer)
    assert 'data-test="to-plan"' not in answer.content.decode()
    assert client.get(f"/mirror/plan?select={select_of(estate, 1)}&tap={estate.tap.key}").status_code == 403
    assert client.post("/mirror/plan", plan_fields(estate, 1)).status_code == 403
    assert not Change.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_nics_and_taps_outside_of_ones_scope_are_not_there() -> None:
    estate = estate_read()
    client = signed_in("operator", only=("5a000000-0000-0000-0000-0000000000ff",))
    assert client.get(f"/mirror?select={select_of(estate, 1)}").status_code == 404
    assert client.get(f"/mirror/pairs?select={select_of(estate, 1)}&tap={estate.tap.key}").status_code == 404
    assert client.post("/mirror/plan", plan_fields(estate, 1)).status_code == 404
    assert not Change.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_plan_is_made_with_all_that_was_typed_in_the_viewers_zone() -> None:
    estate = estate_read()
    fields = plan_fields(estate, 1, 2, window="between", window_opens_at="2031-07-05T22:00", window_closes_at="2031-07-06T02:00",
                         expires_at="2031-12-24T12:00", pace_wave="3", keep_apart="cluster")  # fmt: skip
    answer = signed_in("operator").post("/mirror/plan", fields)
    change = Change.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/changes/{change.pk}")
    assert (change.reason, change.ticket, change.pace_wave, change.keep_apart) == ("INC-7: odd DNS", "CHG-1", 3, "cluster")
    assert change.window_opens_at is not None
    assert change.expires_at is not None
    assert change.window_opens_at.isoformat() == "2031-07-05T20:00:00+00:00"  # summer in Berlin
    assert change.expires_at.isoformat() == "2031-12-24T11:00:00+00:00"  # winter
    assert change.window_zone == "Europe/Berlin"
    assert change.steps.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("reason", "", "Say why: it is what others will read in half a year."),
        ("expires_at", "2001-01-01T00:00", "This time is over already."),
        ("expires_at", "soon", "A time looks like 2026-11-28 22:00."),
        ("window_closes_at", "2001-01-01T00:00", "This time is over already."),
        ("pace_wave", "0", "Ensure this value is greater than or equal to 1."),
        ("settle_s", "long", "Enter a whole number."),
        ("window", "window-99", "Select a valid choice."),
    ],
)
def test_nothing_typed_is_lost_when_something_is_wrong(field: str, value: str, said: str) -> None:
    estate = estate_read()
    typed = plan_fields(estate, 1, reason="why & <wherefore>", ticket='T"1', keep_apart="tier", window="between", window_closes_at="2031-07-06T02:00")
    typed[field] = value
    answer = signed_in("operator").post("/mirror/plan", typed)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert said in words_of(answer)
    for name in ("ticket", "keep_apart", "window_closes_at", "expires_at", "pace_first", "settle_s", "zone", "select", "tap"):
        if typed.get(name):
            assert re.search(rf'name="{name}" value="{re.escape(html.escape(typed[name]))}"', page), name
    assert html.escape(typed["reason"]) in page
    assert f'data-test="field-{field}"' in page
    assert not Change.objects.exists()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_named_window_is_offered_with_its_next_time() -> None:
    estate = estate_read()
    make_window("Saturday night")
    client = signed_in("operator")
    page = client.get(f"/mirror/plan?select={select_of(estate, 1)}&tap={estate.tap.key}")
    assert "Saturday night: Saturday 22:00–02:00 (Europe/London); next Sat" in words_of(page)
    answer = client.post("/mirror/plan", plan_fields(estate, 1, window=f"window-{ChangeWindow.objects.get().pk}"))
    change = Change.objects.get()
    assert answer.status_code == 302
    assert change.window_opens_at is not None
    assert change.window_closes_at is not None
    assert (change.window_closes_at - change.window_opens_at).total_seconds() == 4 * 3600
    assert change.window_zone == "Europe/London"


@pytest.mark.both_databases
@pytest.mark.django_db
def test_stopping_and_moving_start_from_the_same_selection() -> None:
    estate = estate_read(mirrored=2)
    other = make_nic("nic-second", subnet=estate.subnet, address="10.0.1.9", mac="00-0D-3A-FF-00-02")
    second = make_tap("tap-second", destination_id=f"{other.arm_id}/ipConfigurations/ipconfig1")
    client = signed_in("operator")
    chooser = client.get(f"/mirror?select={select_of(estate, 0, 1, 2)}").content.decode()
    for way in ("way-tap", "way-move", "way-untap"):
        assert f'data-test="{way}"' in chooser
    stop = words_of(client.get(f"/mirror/plan?action=untap&select={select_of(estate, 0, 1, 2)}"))
    assert "Stop mirroring 2 of 3 NICs. Left out: app-03-nic. Not mirrored, so there is nothing to stop." in stop
    assert client.post("/mirror/plan", plan_fields(estate, 0, 1, 2, action="untap", tap="")).status_code == 302
    assert {step.method for step in Change.objects.get().steps.all()} == {"DELETE"}
    move = client.get(f"/mirror?action=move&select={select_of(estate, 0, 1)}")
    assert 'data-name="tap-second" data-may="yes"' in move.content.decode()
    assert client.post("/mirror/plan", plan_fields(estate, 0, 1, action="move", tap=second.key)).status_code == 302
    assert Change.objects.filter(action="move", tap_key=second.key).exists()


@pytest.mark.both_databases
@pytest.mark.django_db
def test_foreign_text_is_shown_never_obeyed() -> None:
    estate = estate_read()
    nic = make_nic("hostile-nic", subnet=estate.spoke_subnet, address="10.1.1.99")
    type(nic).objects.filter(key=nic.key).update(name=HOSTILE)
    type(estate.tap).objects.filter(key=estate.tap.key).update(name=HOSTILE)
    client = signed_in("operator")
    for address in (
        f"/mirror?select={nic.key}",
        f"/mirror/plan?select={nic.key}&tap={estate.tap.key}",
        f"/mirror/pairs?select={nic.key}&tap={estate.tap.key}",
    ):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page, address
        assert "\u202e" not in page, address


@pytest.mark.django_db
def test_the_number_of_queries_grows_with_neither_nics_nor_taps() -> None:
    estate = estate_read(nics=8)
    client = signed_in("operator")
    client.get(f"/mirror?select={select_of(estate, 1)}")
    few = queries_of(lambda: client.get(f"/mirror?select={select_of(estate, 1)}"))
    for number in range(4):
        make_tap(f"tap-{number}", destination_id=estate.tap.destination_id)
    assert queries_of(lambda: client.get(f"/mirror?select={select_of(estate, *range(8))}")) == few


@pytest.mark.django_db
def test_tables_find_and_details_lead_to_the_chooser() -> None:
    estate = estate_read()
    client = signed_in("operator")
    nic = estate.nics[1]
    assert f'href="/mirror?select={nic.key}"' in client.get(f"/nics/{nic.key}").content.decode()
    assert 'data-test="move-to"' in client.get(f"/nics/{estate.nics[0].key}").content.decode()
    assert 'data-test="mirror-to"' in client.get("/table/nics").content.decode()
    answer = client.post("/select", {"key": f"{nic.key},{estate.nics[2].key}", "to": "mirror"})
    assert answer.headers["Location"] == f"/mirror?select={nic.key},{estate.nics[2].key}"
    assert client.post("/select", {"key": nic.key, "to": "untap"}).headers["Location"] == f"/mirror/plan?action=untap&select={nic.key}"


@pytest.mark.both_databases
@pytest.mark.django_db
def test_the_world_moved_so_the_page_tells_what_and_asks_again(settings: Any) -> None:
    settings.CLOUD = "simulator"
    estate = estate_read()
    client = signed_in("operator")
    client.post("/mirror/plan", plan_fields(estate, 1, 2))
    change = Change.objects.get()
    VirtualNetworkPeering.objects.filter(name="to-spoke").update(peering_state="Disconnected")
    answer = client.post(f"/changes/{change.pk}/apply")
    change.refresh_from_db()
    assert (answer.status_code, change.state) == (409, "planned")
    words = words_of(answer)
    assert "The world moved since this was planned." in words
    assert "is Disconnected on hub" in words
    assert "refused now" in words
    digest = re.search(r'name="accepted_digest" value="([^"]+)"', answer.content.decode())
    assert digest is not None
    assert client.post(f"/changes/{change.pk}/apply", {"accepted_digest": digest.group(1)}).status_code == 302
    change.refresh_from_db()
    assert change.state != "planned"
    assert {step.skip_code for step in change.steps.all()} == {"refused"}


def make_window(name: str) -> ChangeWindow:
    return ChangeWindow.objects.create(
        name=name, weekdays=[5], opens=time(22), closes=time(2), zone="Europe/London", by="ada", at=datetime(2026, 1, 1, tzinfo=UTC)
    )


@pytest.mark.both_databases
@pytest.mark.django_db
def test_what_a_change_did_is_undone_and_what_failed_is_tried_again_by_plans_of_their_own() -> None:
    estate = estate_read()
    client = signed_in("operator")
    client.post("/mirror/plan", plan_fields(estate, 1, 2))
    change = play(Change.objects.get(), failed=[estate.nics[2].name])
    page = client.get(f"/changes/{change.pk}").content.decode()
    assert {'data-test="undo"', 'data-test="retry"'} <= set(re.findall(r'data-test="(?:undo|retry)"', page))
    undo = client.post(f"/changes/{change.pk}/undo")
    made = Change.objects.get(undo_of=change)
    assert undo.headers["Location"] == f"/changes/{made.pk}"
    assert [(step.method, step.nic_name) for step in made.steps.all()] == [("DELETE", estate.nics[1].name)]
    client.post(f"/changes/{change.pk}/retry")
    assert [step.nic_name for step in Change.objects.get(retry_of=change).steps.all()] == [estate.nics[2].name]
    answer = client.post(f"/changes/{made.pk}/undo", follow=True)
    assert "can be undone or retried when it has ended" in words_of(answer)


@pytest.mark.django_db
def test_a_plan_is_handed_over_and_then_only_waited_for() -> None:
    estate = estate_read()
    client = signed_in("operator")
    client.post("/mirror/plan", plan_fields(estate, 1))
    change = Change.objects.get()
    page = client.get(f"/changes/{change.pk}").content.decode()
    for one in ("az", "bicep", "rest"):
        assert f'href="/api/v1/changes/{change.pk}/export?format={one}"' in page
    client.post(f"/changes/{change.pk}/hand-over")
    assert "vtapweb sends nothing" in words_of(client.get(f"/changes/{change.pk}"))
    assert f'action="/changes/{change.pk}/cancel"' in client.get(f"/changes/{change.pk}").content.decode()
    assert "is no longer a plan" in words_of(client.post(f"/changes/{change.pk}/window", {"window": "now"}, follow=True))


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_plan_gets_its_window_and_loses_it_again() -> None:
    estate = estate_read()
    client = signed_in("operator")
    client.post("/mirror/plan", plan_fields(estate, 1))
    change = Change.objects.get()
    address = f"/changes/{change.pk}/window"
    wrong = client.post(address, {"window": "between", "window_opens_at": "2031-01-02T00:00", "window_closes_at": "2031-01-01T00:00", "zone": "UTC"})
    assert wrong.status_code == 400
    assert "It must close after it opens." in words_of(wrong)
    assert 'value="2031-01-02T00:00"' in wrong.content.decode()
    assert "data-is-open" in wrong.content.decode()
    given = {"window": "between", "window_opens_at": "2031-07-05T22:00", "window_closes_at": "2031-07-06T02:00", "zone": "Europe/Berlin"}
    assert client.post(address, given).status_code == 302
    change.refresh_from_db()
    assert change.window_opens_at is not None
    assert (change.window_opens_at.isoformat(), change.window_zone) == ("2031-07-05T20:00:00+00:00", "Europe/Berlin")
    page = client.get(f"/changes/{change.pk}")
    assert "Apply in its window" in words_of(page)
    assert 'name="window_opens_at" value="2031-07-05T22:00"' in page.content.decode()  # the dialog shows it as it was set
    assert AuditEntry.objects.filter(action="taps.change_window_set").count() == 1
    client.post(address, {"window": "now"})
    again = Change.objects.get()
    assert (again.window_opens_at, again.window_closes_at, again.window_zone) == (None, None, "")
    assert signed_in("viewer").post(address, {"window": "now"}).status_code == 403


@pytest.mark.django_db
def test_where_every_nic_is_refused_the_form_says_why_and_keeps_what_was_typed() -> None:
    estate = estate_read()
    answer = signed_in("operator").post("/mirror/plan", plan_fields(estate, 0))
    assert answer.status_code == 400
    assert f"{estate.nics[0].name}: Already mirrored to tap-collector" in words_of(answer)
    assert "INC-7: odd DNS" in words_of(answer)


@pytest.mark.django_db
def test_a_reason_says_of_how_many_its_words_are_true() -> None:
    estate = estate_read(nics=4, mirrored=1)
    other = make_tap("tap-two", destination_id=f"{estate.collector.arm_id}/ipConfigurations/ipconfig1")
    for number in (2, 3):
        make_tap_configuration(nic=estate.nics[number], tap_id=other.arm_id)
    words = words_of(signed_in("operator").get(f"/mirror?select={select_of(estate, 0, 1, 2, 3)}"))
    assert "3 refused 2 of them: Already mirrored to tap-two" in words


@pytest.mark.both_databases
@pytest.mark.django_db
def test_before_an_untap_is_planned_one_sees_which_locks_refuse_it() -> None:
    estate = estate_read(mirrored=2)
    SubscriptionConditions.objects.update(locks=[{"scope_id": estate.nics[1].arm_id, "level": "CanNotDelete", "name": "audit", "notes": ""}])
    page = signed_in("operator").get(f"/mirror/plan?action=untap&select={select_of(estate, 0, 1)}")
    words = words_of(page)
    assert "Stop mirroring 1 of 2 NICs. Left out: app-02-nic." in words
    assert "audit" in words
    assert 'name="expires_at"' not in page.content.decode()
