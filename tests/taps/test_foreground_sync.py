"""`manage.py sync` where no worker runs: what the verdicts need is read too, and the ledger is kept."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from tests.contract.http import Reply, serving_bodies
from vtapweb.domain.scope import Scope
from vtapweb.simulator import contoso
from vtapweb.simulator.contoso import PROD, SPOKES
from vtapweb.simulator.server import Request, Server
from vtapweb.simulator.throttle import UNLIMITED
from vtapweb.taps.models import Mirror, SubscriptionConditions
from vtapweb.taps.selectors.verdicts import judge_selection

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_sync_by_hand_leaves_no_verdict_unknown_for_want_of_a_worker(settings: Settings) -> None:
    settings.REDIS_URL = ""
    settings.CLOUD, settings.ARM_TOKEN = "custom", "a-token"
    server = Server(contoso.build(), budgets=UNLIMITED)

    def answer(method: str, url: str, headers: Any, body: bytes) -> Reply:
        response = server.handle(Request(method, url, headers, body))
        return Reply(response.status, response.body, response.headers)

    out = StringIO()
    with serving_bodies(answer) as settings.ARM_ENDPOINT, pytest.raises(SystemExit) as left:
        call_command("sync", "--json", stdout=out)
    assert (left.value.code, json.loads(out.getvalue())["state"]) == (3, "partial"), "one subscription may not be read"
    assert {PROD, SPOKES} <= set(SubscriptionConditions.objects.filter(feature_status="read", locks_status="read").values_list("pk", flat=True))
    assert Mirror.objects.filter(ended_at=None).exists()
    judged = judge_selection(Scope.of([PROD, SPOKES]), None)
    assert judged.sources
    assert judged.taps
    assert judged.unread_subscriptions == ()
