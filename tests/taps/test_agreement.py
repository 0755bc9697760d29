"""Two judges that know nothing of each other: our verdicts, and what the simulator's ARM refuses by rules written from Azure's documents alone.

    [simulator: estate S, and S with things broken by chance] --sync, conditions--> [inventory] --facts--> verdicts
              `--its own validation, tenants, permissions, locks--------------------------------> refusals

For every NIC and TAP that a sync found: what ARM refuses, our verdict refuses by the same rule, or says that it cannot tell; and what our verdict
refuses by a rule that ARM enforces, ARM refuses.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from tests.contract.arms import Time
from tests.contract.http import InProcess, Reply
from vtapweb.cloud.connect import WriteSignIn, cloud_for_writes
from vtapweb.domain.scope import Scope
from vtapweb.domain.tap_rules.judge import RULES, judge
from vtapweb.domain.tap_rules.rule import Answer, Outcome, PairRule, Rule, SourceRule
from vtapweb.inventory.actions import sync_run_in_foreground
from vtapweb.inventory.models import ResourceGroup, Subscription
from vtapweb.simulator import authorization, contoso, validation
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.errors import ArmError
from vtapweb.simulator.estate import Document, Estate, fold
from vtapweb.simulator.server import Request, Server
from vtapweb.taps.actions.conditions import conditions_refresh, permissions_read
from vtapweb.taps.selectors.facts import Facts, world_of

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

# What ARM refuses by itself. Our other rules are the product's own, or warnings.
SOURCE_RULES = {"not-vm-nic", "ipv4", "vnet-encryption", "basic-lb", "floating-ip", "one-config-per-nic"}
ENFORCED = {*SOURCE_RULES, "reachable", "same-region", "same-tenant", "one-destination", "dest-exists", "permission", "lock"}


# --- the estate broken by chance ------------------------------------------------------------------------------------------------------------------


def _edited(estate: Estate, held: Document, edit: Callable[[Json], None]) -> None:
    document = held.json()
    edit(document)
    estate.replace(held, document)


def _encrypt(vnet: Json) -> None:
    vnet["properties"]["encryption"] = {"enabled": True, "enforcement": "AllowUnencrypted"}


def _cut(vnet: Json) -> None:
    for side in vnet["properties"].get("virtualNetworkPeerings") or ():
        side["properties"]["peeringState"] = "Disconnected"


def _unpeer(vnet: Json) -> None:
    vnet["properties"]["virtualNetworkPeerings"] = []


def _own(nic: Json) -> None:
    nic["properties"]["privateEndpoint"] = {"id": f"{nic['id']}-endpoint"}


def _move(resource: Json) -> None:
    resource["location"] = "West Europe"


def _to_ipv6(nic: Json) -> None:
    nic["properties"]["ipConfigurations"][-1]["properties"].update(privateIPAddressVersion="IPv6", privateIPAddress="fd00::5")


def _to_basic(balancer: Json) -> None:
    balancer["sku"] = {"name": "Basic"}


def _float(balancer: Json) -> None:
    for rule in balancer["properties"].get("loadBalancingRules") or ():
        rule["properties"]["enableFloatingIP"] = True


def _lead_nowhere(tap: Json) -> None:
    for name in validation.DESTINATION_FIELDS:
        if tap["properties"].get(name):
            tap["properties"][name] = {"id": tap["properties"][name]["id"] + "-gone"}


EDITS: list[tuple[Kind, Callable[[Json], None], float]] = [
    (Kind.VIRTUAL_NETWORKS, _encrypt, 0.15),
    (Kind.VIRTUAL_NETWORKS, _cut, 0.15),
    (Kind.VIRTUAL_NETWORKS, _unpeer, 0.1),
    (Kind.NETWORK_INTERFACES, _own, 0.05),
    (Kind.NETWORK_INTERFACES, _move, 0.05),
    (Kind.NETWORK_INTERFACES, _to_ipv6, 0.05),
    (Kind.LOAD_BALANCERS, _to_basic, 0.2),
    (Kind.LOAD_BALANCERS, _float, 0.3),
    (Kind.VIRTUAL_NETWORK_TAPS, _lead_nowhere, 0.2),
    (Kind.VIRTUAL_NETWORK_TAPS, _move, 0.2),
]


def broken(seed: int | None) -> Estate:
    """Estate S; with a seed, with documents edited, groups made read-only and NICs locked by chance."""
    estate = contoso.build()
    if seed is None:
        return estate
    chance = Random(seed)  # noqa: S311 (no secret: a seed that makes the same estate again)
    for kind, edit, share in EDITS:
        for held in list(estate.all_of(kind)):
            if chance.random() < share:
                _edited(estate, held, edit)
    for nic in estate.all_of(Kind.NETWORK_INTERFACES):
        if chance.random() < 0.03:
            lock = authorization.lock_document(nic.arm_id, "by-chance", authorization.READ_ONLY, "")
            estate.locks[fold(lock["id"])] = lock
    for group in estate.all_of(Kind.RESOURCE_GROUPS):
        if chance.random() < 0.1:
            estate.readers.add(fold(group.arm_id))
    return estate


# --- the two judges -------------------------------------------------------------------------------------------------------------------------------


def read_all(estate: Estate) -> Facts:
    """What vtapweb knows of the estate after a sync and a look at what it may do."""
    time = Time(now_s=1_780_272_000.0)
    server = Server(estate, monotonic_s=time, unix_s=time)

    def answer(method: str, url: str, headers: Any, body: bytes) -> Reply:
        response = server.handle(Request(method, url, headers, body))
        return Reply(response.status, response.body, response.headers)

    def opener() -> Any:
        return cloud_for_writes(
            cloud="simulator", endpoint="http://127.0.0.1:8080", token="reader", sign_in=WriteSignIn(token="writer"),
            transport=InProcess(bodies=answer), sleep=time.sleep,
        )  # fmt: skip

    sync_run_in_foreground(subscription_ids=None, actor="the test", opener=opener, wait=time.sleep)
    for subscription in Subscription.objects.all():
        conditions_refresh(subscription_id=subscription.pk, opener=opener)
    permissions_read(scope_ids=ResourceGroup.objects.values_list("arm_id", flat=True), opener=opener)
    return world_of(Scope.everything(), source_keys=None, tap_keys=None)


def refused_by_arm(estate: Estate, nic: Document, tap: Document) -> set[str]:
    """The rules by which this ARM would refuse to mirror the NIC to the TAP, or refuse such a TAP."""
    found = {one.rule for one in validation.refusals_of_configuration(estate, nic.arm_id, tap.arm_id)}
    found |= {one.rule for one in validation.refusals_of_tap(estate, tap.json())}
    child, network = f"{nic.arm_id}/tapConfigurations/t", "Microsoft.Network"
    with noted_in(found, "permission"):
        authorization.check_allowed(estate, f"{network}/networkInterfaces/tapConfigurations/write", child)
    with noted_in(found, "lock"):
        authorization.check_locks(estate, child, is_delete=False)
    with noted_in(found, "permission"):
        authorization.check_allowed(estate, f"{network}/virtualNetworkTaps/join/action", tap.arm_id)
    with noted_in(found, "permission"):
        authorization.check_linked(estate, "", child, f"{network}/virtualNetworkTaps/join/action", tap.arm_id)
    return found


@contextmanager
def noted_in(found: set[str], rule_id: str) -> Iterator[None]:
    """Notes a refusal of ARM's under our rule's id. One of a resource in another tenant has the code of a lacking permission."""
    try:
        yield
    except ArmError as refusal:
        found.add("same-tenant" if "current tenant" in refusal.message else rule_id)


@dataclass(frozen=True)
class Comparison:
    """`missed`: ARM refuses, we allow or name another rule; `invented`: we refuse by a rule of ARM's, ARM does not. `agreed`: pairs by rule."""

    missed: list[tuple[str, str, str]]
    invented: list[tuple[str, str, str]]
    agreed: Counter[str]


def compared(estate: Estate, facts: Facts, rules: tuple[Rule, ...] = RULES) -> Comparison:
    judgement = judge(facts.world, facts.sources, facts.taps, rules)
    found = Comparison([], [], Counter())
    for nic, tap, nic_facts, tap_facts in _pairs(estate, facts):
        verdict = judgement.verdict(nic_facts.key, tap_facts.key)
        blocks = {one.rule_id for one in verdict.findings if one.outcome is Outcome.BLOCK}
        dark = {one.rule_id for one in verdict.findings if one.outcome is Outcome.UNKNOWN}
        arm = refused_by_arm(estate, nic, tap)
        found.missed.extend((rule, nic.arm_id, tap.arm_id) for rule in sorted(arm - blocks - dark))
        found.invented.extend((rule, nic.arm_id, tap.arm_id) for rule in sorted((blocks & ENFORCED) - arm))
        found.agreed.update(arm & blocks)
    return found


def _pairs(estate: Estate, facts: Facts) -> Iterator[tuple[Document, Document, Any, Any]]:
    """Whatever both know. NICs of scale sets have no TAP configuration in ARM at all, so its validation does not know them."""
    for nic in facts.sources:
        document = estate.get(nic.arm_id)
        if document is None or document.kind is not Kind.NETWORK_INTERFACES:
            continue
        for tap in facts.taps:
            held = estate.get(tap.arm_id)
            if held is not None:
                yield document, held, nic, tap


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_we_refuse_what_arm_refuses_and_no_more_by_its_rules(seed: int | None) -> None:
    estate = broken(seed)
    found = compared(estate, read_all(estate))
    assert found.missed == []
    assert found.invented == []
    assert found.agreed.keys() >= SOURCE_RULES | {"reachable", "same-region", "same-tenant", "permission", "lock"}


def inverted(rule: Rule) -> Rule:
    """The rule with its yes and no exchanged."""
    swap = {Outcome.OK: Outcome.BLOCK, Outcome.BLOCK: Outcome.OK}

    def wrong(*inputs: object) -> Answer:
        answer: Answer = rule.check(*inputs)  # type: ignore[attr-defined]
        return answer._replace(outcome=swap.get(answer.outcome, answer.outcome))

    return replace(rule, check=wrong)  # type: ignore[call-arg] # every kind of rule has one


def blind(rule: Rule) -> Rule:
    """The rule that finds everything fine."""
    return replace(rule, check=lambda *_inputs: Answer(Outcome.OK, "Fine."))  # type: ignore[call-arg] # every kind of rule has one


def test_a_wrong_rule_is_seen() -> None:
    """The comparison, tried on itself: each of ARM's rules turned round or made blind must set the two judges at odds."""
    estate = broken(1)
    facts = read_all(estate)
    for rule in RULES:
        if rule.id in SOURCE_RULES | {"reachable", "same-region", "permission", "lock"} and isinstance(rule, SourceRule | PairRule):
            others = tuple(one for one in RULES if one is not rule)
            turned, unseeing = compared(estate, facts, (*others, inverted(rule))), compared(estate, facts, (*others, blind(rule)))
            assert rule.id in {one for one, _, _ in turned.invented}, rule.id
            assert rule.id in {one for one, _, _ in unseeing.missed}, rule.id
