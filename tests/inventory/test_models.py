"""The tables' own rules: what the database refuses, whoever asks."""

import pytest
from django.db import IntegrityError, transaction

from tests.inventory.factories import NOW, make_estate, make_run, make_subscription, make_subscription_sync, make_vnet
from vtapweb.inventory.models import NetworkInterface, SyncRun, TapConfiguration, VirtualNetwork

pytestmark = pytest.mark.django_db


def test_an_estate_joins_by_keys() -> None:
    estate = make_estate(nics=3, mirrored=2)
    assert NetworkInterface.objects.filter(virtual_network_key=estate.spoke.key).count() == 3
    assert TapConfiguration.objects.filter(virtual_network_tap_key=estate.tap.key).count() == 2
    assert estate.tap.destination_kind == "nic"
    assert estate.tap.destination_key == estate.collector.ip_configurations.get().key


def test_a_subscription_id_is_lower_case() -> None:
    vnet = make_vnet()
    with pytest.raises(IntegrityError), transaction.atomic():
        VirtualNetwork.objects.filter(pk=vnet.pk).update(subscription_id="UPPER")


def test_nothing_is_removed_before_it_was_seen() -> None:
    vnet = make_vnet()
    with pytest.raises(IntegrityError), transaction.atomic():
        VirtualNetwork.objects.filter(pk=vnet.pk).update(removed_at=NOW.replace(year=2001))


def test_one_subscription_has_one_running_sync() -> None:
    subscription = make_subscription()
    make_subscription_sync(run=make_run(state="running"), subscription=subscription, state="running")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_subscription_sync(run=make_run(state="running"), subscription=subscription, state="running")


def test_a_state_outside_the_list_is_refused() -> None:
    run = make_run()
    with pytest.raises(IntegrityError), transaction.atomic():
        SyncRun.objects.filter(pk=run.pk).update(state="merry")
