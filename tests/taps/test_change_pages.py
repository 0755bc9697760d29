"""The list of changes and the page of one: what each viewer sees, hostile text, counts of queries."""

import re
from typing import Any

import pytest
from django.utils import timezone

from tests.inventory.factories import SUBSCRIPTION, Estate, make_estate
from tests.inventory.pages import queries_of, signed_in
from tests.taps.factories import make_change, make_step
from vtapweb.access.models import AuditEntry
from vtapweb.inventory.models import NetworkInterface
from vtapweb.taps.models import Change, ChangeStep

pytestmark = pytest.mark.one_database
HOSTILE = "x</td><script>alert(1)</script>\u202egpj"
OTHER = "5a000000-0000-0000-0000-0000000000ff"


def change_of(estate: Estate, **fields: Any) -> Change:
    tap = {"tap_id": estate.tap.arm_id, "tap_key": estate.tap.key, "tap_name": estate.tap.name, "subscription_ids": [SUBSCRIPTION]}
    if fields.get("state") in {"applied", "partly_applied", "failed", "cancelled"}:
        fields.setdefault("finished_at", timezone.now())
    return make_change(**{**tap, **fields})


def change_of_nothing(**fields: Any) -> Change:
    if fields.get("state") == "applied":
        fields["finished_at"] = timezone.now()
    return make_change(**fields)


def step_of(change: Change, nic: NetworkInterface, **fields: Any) -> ChangeStep:
    """A step about a NIC of the inventory; what a state needs besides is filled in."""
    now = timezone.now()
    of_state = {"sent": {"sent_at": now}, "polling": {"sent_at": now}, "verified": {"sent_at": now, "verified_at": now}, "failed": {"sent_at": now}}
    about = {"nic_id": nic.arm_id, "nic_key": nic.key, "vm_key": nic.virtual_machine_key, "vm_name": nic.name.removesuffix("-nic")}
    return make_step(change, nic.name, **{**about, **of_state.get(fields.get("state", ""), {}), **fields})


def text_of(answer: Any) -> str:
    """The answer's words, without tags and doubled blanks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_plan_says_in_a_sentence_what_it_does_what_it_leaves_out_and_what_it_costs() -> None:
    estate = make_estate()
    refused = {
        "nic": "…",
        "name": "web-01",
        "rule_id": "one-config-per-nic",
        "message": "It is mirrored already.",
        "remedy": "Move it.",
        "source": "[FAQ]",
    }
    said = "2 of 3 NICs → tap-collector. Left out: web-01, already mirrored. 2 requests in 2 waves, about 2 min. Nothing has been sent to Azure."
    plan = {
        "sentence": said,
        "downtime": "Each of these 2 VMs may lose its network for up to 60 seconds.",
        "duration_s": 65,
        "together": [{"kind": "availability set", "name": "dc", "vm_names": ["app-02", "app-03"]}],
    }
    change = change_of(estate, left_out=[refused], plan=plan)
    step_of(change, estate.nics[1])
    step_of(change, estate.nics[2], wave=2)
    answer = signed_in().get(f"/changes/{change.pk}")
    words = text_of(answer)
    assert said in words
    assert "Each of these 2 VMs may lose its network for up to 60 seconds." in words
    assert "web-01 : It is mirrored already. Fix: Move it. Rule one-config-per-nic, from [FAQ]" in words
    assert words.count("⇹ availability set dc") == 2
    assert "about 2 min · 1 first, then up to 5 at once" in words
    assert "PUT" in words
    assert "/tapConfigurations/tap-one?api-version=" in words
    assert f"/nics/{estate.nics[1].key}" in answer.content.decode()
    assert "INC-1: look at odd DNS" in words
    assert "Being worked out: what collectors measured" in words


@pytest.mark.django_db
def test_each_state_of_a_step_is_told_in_words_and_flowing_is_never_claimed() -> None:
    estate = make_estate(nics=6)
    change = change_of(estate, state="applying", checked_at=timezone.now())
    for nic, state in zip(estate.nics, ("verified", "polling", "sent", "failed", "skipped", "pending"), strict=True):
        more = {"skip_reason": "the window closed."} if state == "skipped" else {}
        step_of(
            change, nic, state=state, error_code="NicBusy" if state == "failed" else "", correlation_id="c-1" if state == "failed" else "", **more
        )
    answer = signed_in().get(f"/changes/{change.pk}", headers={"HX-Request": "true"})
    words = text_of(answer)
    for said in ("1 of 6 verified", "2 with Azure now", "1 to go", "1 failed", "1 skipped", "NicBusy", "Not sent: the window closed.", "c-1"):
        assert said in words
    page = answer.content.decode()
    assert page.count('data-tick="yes"') == 1  # the configured one of the verified step
    assert 'data-copy-text="c-1"' in page
    assert page.lstrip().startswith("<div")
    assert "hx-trigger" in page
    assert f"vtap:change-{change.pk} from:document" in page


@pytest.mark.django_db
def test_what_is_there_already_or_not_known_is_not_called_unconfigured() -> None:
    estate = make_estate(nics=3)
    change = change_of(estate, state="applying", checked_at=timezone.now())
    step_of(change, estate.nics[0], state="skipped", skip_code="already", skip_reason="Azure had it.")
    step_of(change, estate.nics[1], state="skipped", skip_code="cancelled", skip_reason="piet cancelled it.", attempts=1)
    step_of(change, estate.nics[2], state="failed", error_code="no_end")
    page = signed_in().get(f"/changes/{change.pk}").content.decode()
    assert page.count('data-tick="yes"') == 1
    assert page.count('data-tick="no"') == 0


@pytest.mark.django_db
def test_a_nic_that_a_move_left_unmirrored_is_told() -> None:
    estate = make_estate(nics=1)
    change = change_of(estate, action="move", state="paused", checked_at=timezone.now())
    first = step_of(change, estate.nics[0], action="delete", state="verified", sent_at=timezone.now())
    step_of(change, estate.nics[0], after=first)
    assert "is mirrored nowhere since" in text_of(signed_in().get(f"/changes/{change.pk}"))
    assert signed_in().get(f"/api/v1/changes/{change.pk}").json()["gaps"][0]["until"] is None


@pytest.mark.django_db
def test_that_nothing_was_sent_is_said_only_while_it_is_true() -> None:
    plan = {"sentence": "1 NIC → tap-one. Nothing has been sent to Azure."}
    for state, is_said in (("planned", True), ("applying", False), ("applied", False)):
        words = text_of(signed_in().get(f"/changes/{change_of_nothing(state=state, plan=plan).pk}"))
        assert ("Nothing has been sent to Azure." in words) is is_said


@pytest.mark.django_db
def test_a_change_leads_to_what_it_undoes_and_to_what_undoes_it() -> None:
    first = change_of_nothing(state="applied")
    second = change_of_nothing(undo_of=first)
    client = signed_in()
    assert f"undone by change {second.pk} (planned)" in text_of(client.get(f"/changes/{first.pk}"))
    assert f"undo of change {first.pk}" in text_of(client.get(f"/changes/{second.pk}"))


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_limited_viewer_sees_only_changes_whose_subscriptions_he_may_all_read() -> None:
    estate = make_estate()
    mine = change_of(estate, reason="mine alone")
    both = change_of(estate, reason="of both", subscription_ids=[SUBSCRIPTION, OTHER])
    limited, everything = signed_in(only=(SUBSCRIPTION,)), signed_in()
    assert limited.get(f"/changes/{mine.pk}").status_code == 200
    assert limited.get(f"/changes/{both.pk}").status_code == 404
    assert everything.get(f"/changes/{both.pk}").status_code == 200
    assert "of both" not in text_of(limited.get("/changes"))
    assert "1–1 of 1 shown" in text_of(limited.get("/changes"))
    assert "of both" in text_of(everything.get("/changes"))


@pytest.mark.django_db
def test_foreign_text_is_shown_never_obeyed() -> None:
    estate = make_estate()
    change = change_of(estate, reason=HOSTILE, ticket=HOSTILE, tap_name=HOSTILE, created_by_name=HOSTILE, stop_reason=HOSTILE,
                       left_out=[{"name": HOSTILE, "message": HOSTILE, "rule_id": "x"}], state="partly_applied",
                       differences=[{"name": HOSTILE, "was": HOSTILE, "now": HOSTILE, "message": HOSTILE}],
                       plan={"sentence": HOSTILE, "warnings": [{"code": "x", "message": HOSTILE, "names": [HOSTILE]}],
                             "forecast": {"sentence": HOSTILE, "notes": [HOSTILE]}})  # fmt: skip
    step_of(change, estate.nics[0], state="failed", error_code=HOSTILE, error_message=HOSTILE, correlation_id=HOSTILE, groups=[HOSTILE],
            body={HOSTILE: HOSTILE}, path=HOSTILE, vm_name=HOSTILE)  # fmt: skip
    for address in (f"/changes/{change.pk}", "/changes"):
        page = signed_in().get(address).content.decode()
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "⟨U+202E⟩" in page


@pytest.mark.both_databases
@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_steps_or_changes() -> None:
    estate = make_estate(nics=6)
    client = signed_in()
    small = change_of(estate)
    step_of(small, estate.nics[0])
    client.get(f"/changes/{small.pk}")
    few = queries_of(lambda: client.get(f"/changes/{small.pk}"))
    list_few = queries_of(lambda: client.get("/changes"))
    large = change_of(estate)
    for nic in estate.nics:
        step_of(large, nic)
    assert queries_of(lambda: client.get(f"/changes/{large.pk}")) == few
    for _ in range(5):
        step_of(change_of(estate), estate.nics[1])
    assert queries_of(lambda: client.get("/changes")) == list_few


@pytest.mark.both_databases
@pytest.mark.django_db
def test_the_list_filters_pages_and_says_when_nothing_is_there() -> None:
    client = signed_in()
    assert "No change yet" in text_of(client.get("/changes"))
    estate = make_estate()
    first = change_of(estate, reason="the first one", created_by_name="ada")
    step_of(first, estate.nics[2])
    change_of(estate, reason="the second one", ticket="CHG-XY", state="cancelled", action="untap")
    of_first = ("by=ad", "q=app-03", f"q={first.pk}")
    of_second = ("state=cancelled", "action=untap", "q=chg-xy")
    for query, shown in (*((one, "first") for one in of_first), *((one, "second") for one in of_second)):
        words = text_of(client.get(f"/changes?{query}", headers={"HX-Request": "true"}))
        assert f"the {shown} one" in words, query
        assert "1–1 of 1 shown, of 2 in all" in words, query
    assert "No such change" in text_of(client.get("/changes?state=failed"))
    for _ in range(60):
        change_of(estate)
    assert "1–50 of 62 shown" in text_of(client.get("/changes?size=50"))
    assert "51–62 of 62 shown" in text_of(client.get("/changes?size=50&page=2"))


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["planned", "applying", "paused", "applied", "partly_applied", "failed", "cancelled", "handed_over"])
@pytest.mark.parametrize("action", ["tap", "untap", "move", "create_tap", "update_tap_tags", "delete_tap"])
def test_every_change_has_a_page(state: str, action: str) -> None:
    estate = make_estate()
    change = change_of(estate, state=state, action=action)
    if action in {"tap", "untap", "move"}:
        step_of(change, estate.nics[0], action="delete" if action == "untap" else "put", state="verified", before={"tap_id": estate.tap.arm_id})
    else:
        verb = {"create_tap": "put", "update_tap_tags": "patch", "delete_tap": "delete"}[action]
        make_step(change, "", nic_id="", nic_key="", target_id=estate.tap.arm_id, target_key=estate.tap.key, action=verb, body=None)
    assert signed_in().get(f"/changes/{change.pk}").status_code == 200


def test_a_change_that_there_is_not_is_not_found(db: None) -> None:
    assert signed_in().get("/changes/99999").status_code == 404


# -- what may be done with it


@pytest.mark.both_databases
@pytest.mark.django_db
def test_an_operator_applies_pauses_goes_on_and_sends_no_more(settings: Any) -> None:
    settings.CLOUD = "simulator"
    estate = make_estate()
    change = change_of(estate)
    step_of(change, estate.nics[1])
    client = signed_in("operator")
    buttons = {"planned": {"apply", "cancel"}, "applying": {"pause", "cancel"}, "paused": {"continue", "cancel"}, "cancelled": set()}
    for verb, state in (("apply", "applying"), ("pause", "paused"), ("continue", "applying"), ("cancel", "cancelled")):
        change.refresh_from_db()
        page = client.get(f"/changes/{change.pk}").content.decode()
        shown = set(re.findall(rf'action="/changes/{change.pk}/([a-z-]+)"', page))
        assert buttons[change.state] <= shown, change.state
        answer = client.post(f"/changes/{change.pk}/{verb}")
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/changes/{change.pk}")
        change.refresh_from_db()
        assert change.state == state
    assert AuditEntry.objects.filter(action="taps.change_started").count() == 1


@pytest.mark.django_db
def test_a_viewer_sees_every_button_with_the_reason_why_it_is_not_his(settings: Any) -> None:
    settings.CLOUD = "simulator"
    estate = make_estate()
    change = change_of(estate)
    step_of(change, estate.nics[1])
    client = signed_in("viewer")
    page = client.get(f"/changes/{change.pk}")
    assert "needs the role operator; yours is viewer" in text_of(page)
    assert "Apply now" in text_of(page)
    assert f'action="/changes/{change.pk}' not in page.content.decode()
    for verb in ("apply", "pause", "continue", "cancel"):
        assert client.post(f"/changes/{change.pk}/{verb}").status_code == 403
    change.refresh_from_db()
    assert change.state == "planned"


@pytest.mark.django_db
def test_what_is_refused_is_told_on_the_page_and_changes_nothing(settings: Any) -> None:
    settings.CLOUD = "public"  # read-only until an admin enables it
    estate = make_estate()
    change = change_of(estate)
    step_of(change, estate.nics[1])
    client = signed_in("operator")
    assert "is read-only for vtapweb" in text_of(client.post(f"/changes/{change.pk}/apply", follow=True))
    assert "Writes are off" not in text_of(client.get(f"/changes/{change.pk}"))
    assert client.post(f"/changes/{change.pk}/explode").status_code == 404
    assert client.get(f"/changes/{change.pk}/apply").status_code == 405
    limited = signed_in("operator", only=(OTHER,))
    assert limited.post(f"/changes/{change.pk}/apply").status_code == 404
    change.refresh_from_db()
    assert change.state == "planned"


def digests_of(answer: Any) -> list[str]:
    return re.findall(r'name="h" value="([0-9a-f]+)"', answer.content.decode())


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_page_that_follows_gets_only_the_waves_that_it_lacks() -> None:
    estate = make_estate(nics=4)
    change = change_of(estate, state="applying", checked_at=timezone.now())
    steps = [step_of(change, nic, wave=number) for number, nic in enumerate(estate.nics, start=1)]
    client = signed_in()
    htmx, address = {"HX-Request": "true"}, f"/changes/{change.pk}"
    known = digests_of(client.get(address, headers=htmx))
    assert len(known) == 4
    asked = {"s": "applying-3", "h": known}
    unchanged = client.get(address, asked, headers=htmx)
    assert unchanged.headers["HX-Reswap"] == "none"
    assert digests_of(unchanged) == []
    assert 'id="change-head" hx-swap-oob="outerHTML"' in unchanged.content.decode()
    ChangeStep.objects.filter(pk=steps[2].pk).update(state="sent", sent_at=timezone.now())
    moved = client.get(address, asked, headers=htmx)
    assert len(digests_of(moved)) == 1
    assert 'id="wave-3" hx-swap-oob="outerHTML"' in moved.content.decode()
    assert 'id="change-part"' not in moved.content.decode()
    assert queries_of(lambda: client.get(address, asked, headers=htmx)) == queries_of(lambda: client.get(address, headers=htmx))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked", [{"s": "planned-0", "h": ["0"]}, {"s": "applying-3", "h": []}, {"s": "applying-3", "h": ["0", "0"]}, {"s": "applying-2", "h": ["0"]}, {}]
)
def test_a_page_of_another_state_or_with_other_waves_is_drawn_anew(asked: dict[str, Any]) -> None:
    estate = make_estate()
    change = change_of(estate, state="applying", checked_at=timezone.now())
    step_of(change, estate.nics[0])
    answer = signed_in().get(f"/changes/{change.pk}", asked, headers={"HX-Request": "true"})
    assert 'id="change-part"' in answer.content.decode()
    assert "HX-Reswap" not in answer.headers


@pytest.mark.django_db
def test_what_was_skipped_says_why_and_is_not_shown_as_refused() -> None:
    estate = make_estate()
    change = change_of(estate, state="partly_applied")
    step_of(change, estate.nics[0], state="skipped", skip_code="window_closed", skip_reason="The change window closed before this was done.")
    step_of(change, estate.nics[1], state="skipped", skip_code="already", skip_reason="Azure had it as wanted before we sent anything.")
    answer = signed_in().get(f"/changes/{change.pk}")
    assert "Not sent: The change window closed before this was done." in text_of(answer)
    assert "Not sent: Azure had it" not in text_of(answer)
    assert "Configured : not tried" in text_of(answer)
    assert 'data-tick="no"' not in answer.content.decode()


@pytest.mark.django_db
def test_what_ends_mirrors_brings_no_load_and_has_no_end_of_its_own() -> None:
    words = text_of(signed_in().get(f"/changes/{change_of_nothing(action='untap').pk}"))
    assert "Load it brings" not in words
    assert "no end named" not in words


@pytest.mark.django_db
def test_a_later_wave_says_what_it_waits_for_only_while_it_waits() -> None:
    estate = make_estate()
    change = change_of(estate, state="failed")
    step_of(change, estate.nics[0], state="failed", error_code="Nope")
    step_of(change, estate.nics[1], state="failed", error_code="Nope", wave=2)
    assert "after wave 1" not in text_of(signed_in().get(f"/changes/{change.pk}"))
    plan = change_of(estate)
    step_of(plan, estate.nics[2])
    step_of(plan, estate.nics[3], wave=2)
    assert "1 request, after wave 1 has ended" in text_of(signed_in().get(f"/changes/{plan.pk}"))


@pytest.mark.django_db
def test_what_moved_is_called_accepted_only_when_somebody_went_on() -> None:
    moved = [{"name": "web-01", "was": "", "now": "", "message": "Already mirrored.", "is_refused": True}]
    for state, stop_code, is_accepted in (("paused", "moved", False), ("applying", "", True)):
        change = change_of_nothing(state=state, stop_code=stop_code, stop_reason="1 thing has moved." if stop_code else "", differences=moved)
        words = text_of(signed_in().get(f"/changes/{change.pk}"))
        assert ("It was accepted so" in words) is is_accepted
        assert ("If you go on, what is refused now is skipped" in words) is not is_accepted
