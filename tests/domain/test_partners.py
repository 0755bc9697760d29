"""Which product receives at a destination: the order in which one believes, and what is never taken for a collector."""

from dataclasses import replace

import pytest

from vtapweb.domain.partners import UNKNOWN, Machine, Partner, Recognition, recognise
from vtapweb.inventory.partners import partners

VISIBLE = "gigamon"
GIGAMON_NODE = Machine(image_publisher="Gigamon-Inc", image_offer="gigamon-gigavue-cloud-suite-v2", image_sku="vseries-node-v6")
GIGAMON_MANAGER = replace(GIGAMON_NODE, image_sku="gfm-azure-v6")


def product(key: str, *recognition: Recognition) -> Partner:
    return Partner(key, key.title(), "vendor", None, "analytics", True, None, recognition, 4789, None, None, None, "high")


BY_PLAN = product("plan", Recognition("marketplace", "collector", "high", publisher="p", offer="o", plan_regex="^sensor-"))
BY_IMAGE = product("image", Recognition("image_id_regex", "collector", "medium", value=r"/images/sensor-\d"))
BY_TAG = product("tag", Recognition("tag", "collector", "high", value="Quickstart", name="deployed_by"))
BY_NAME = product("name", Recognition("name_regex", "collector", "medium", value="^sensor-lb$", resource="load_balancer"))
ALL = (BY_NAME, BY_TAG, BY_IMAGE, BY_PLAN)
MACHINE = Machine("P", "O", "Sensor-1", "/x/images/sensor-4", tags={"Deployed_By": "quickstart"})
NAMES = {"load_balancer": "SENSOR-LB"}


def test_the_operator_is_believed_before_the_plan_the_image_the_tag_and_the_name() -> None:
    told = [
        recognise(ALL, [MACHINE], assigned="name", names=NAMES, vouched_by="ada"),
        recognise(ALL, [MACHINE], names=NAMES),
        recognise(ALL, [replace(MACHINE, image_publisher="")], names=NAMES),
        recognise(ALL, [Machine(tags=MACHINE.tags)], names=NAMES),
        recognise(ALL, [Machine()], names=NAMES),
        recognise(ALL, [Machine()], names={"frontend": "sensor-lb"}),
    ]
    assert [(one.partner_key, one.by, one.matched, one.confidence) for one in told] == [
        ("name", "assignment", "ada", "high"),
        ("plan", "marketplace", "P:O:Sensor-1", "high"),
        ("image", "image_id_regex", "/x/images/sensor-4", "medium"),
        ("tag", "tag", "Deployed_By=quickstart", "high"),
        ("name", "name_regex", "SENSOR-LB", "medium"),
        ("", "", "", ""),
    ]


@pytest.mark.parametrize(
    "machine",
    [
        Machine(),
        Machine("p", "other", "sensor-1"),
        Machine("p", "o", "manager-1"),
        Machine("", "", "sensor-1"),
        Machine(tags={"deployed_by": "somebody"}),
        Machine(image_id="/x/images/web-1"),
    ],
)
def test_what_matches_nothing_is_an_unknown_collector(machine: Machine) -> None:
    assert recognise(ALL, [machine]) == UNKNOWN
    assert recognise(ALL, []) == UNKNOWN
    assert recognise(ALL, [machine], assigned="no such product") == UNKNOWN


def test_a_purchase_plan_counts_as_the_image_does() -> None:
    assert recognise(ALL, [Machine(plan_publisher="p", plan_product="o", plan_name="sensor-9")]).partner_key == "plan"


def test_a_management_appliance_is_known_and_no_collector() -> None:
    assert recognise(partners(), [GIGAMON_NODE]).role == "collector"
    manager = recognise(partners(), [GIGAMON_MANAGER])
    assert (manager.partner_key, manager.role, manager.confidence) == (VISIBLE, "management", "high")
    both = recognise(partners(), [GIGAMON_MANAGER, GIGAMON_NODE])
    assert (both.partner_key, both.role) == (VISIBLE, "collector")


def test_a_scale_set_s_name_is_its_own() -> None:
    assert recognise(partners(), [Machine(names={"scale_set": "prod-vsensor-vmss"})]).partner_key == "darktrace"
    assert recognise(partners(), [Machine(names={"virtual_machine": "prod-vsensor-vmss"})]) == UNKNOWN


def test_every_way_of_the_data_is_one_that_is_understood() -> None:
    """Each way in the table recognises a machine made after it; a kind of way that the code does not know would not."""
    made = 0
    for partner in partners():
        for way in partner.recognition:
            plan = (way.plan_regex or "").strip("^$").replace(r"\d+", "7").replace(".*", "x")
            image = way.value.replace("(cvu-v|cstor-v)", "cvu-v").replace(r"\d", "7")
            machine = Machine(way.publisher, way.offer, plan, image if way.by == "image_id_regex" else "", tags={way.name: way.value})
            name = {way.resource: way.value.strip("^$")} if way.by == "name_regex" else {}
            assert recognise([partner], [replace(machine, names=name)], names=name) != UNKNOWN, (partner.key, way)
            made += 1
    assert made > 10
