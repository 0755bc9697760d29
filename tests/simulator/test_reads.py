"""ARM's read interface: shapes, children, paging, refusals, etags and budgets."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.simulator.caller import BASE_URL, TOKEN, VERSION, make_caller
from vtapweb.simulator import contoso
from vtapweb.simulator.contoso import FABRIKAM, PARTNER, PROD, SHARED, SPOKES
from vtapweb.simulator.throttle import Budgets

NETWORK = f"/subscriptions/{SPOKES}/providers/Microsoft.Network"
CRM = f"/subscriptions/{SPOKES}/resourceGroups/rg-crm/providers/Microsoft.Network"
VNET = f"{CRM}/virtualNetworks/spoke-crm"
NIC = f"{CRM}/networkInterfaces/web-01"
ANY = make_caller()
NETWORK_KINDS = ["virtualNetworks", "networkInterfaces", "loadBalancers", "virtualNetworkTaps", "networkSecurityGroups"]
COMPUTE_KINDS = ["virtualMachines", "availabilitySets", "virtualMachineScaleSets"]


def test_subscriptions_tenants_and_groups() -> None:
    azure = make_caller()
    subscriptions = azure.items("/subscriptions")
    assert [item["displayName"] for item in subscriptions] == ["contoso-prod", "contoso-spokes", "corp-shared", "fabrikam-lab"]
    assert {item["tenantId"] for item in subscriptions} == {item["tenantId"] for item in azure.items("/tenants")}
    assert azure.get(f"/subscriptions/{PROD}")["state"] == "Enabled"
    groups = azure.items(f"/subscriptions/{SPOKES}/resourcegroups")
    assert "rg-crm" in [group["name"] for group in groups]
    assert azure.get(f"/subscriptions/{SPOKES}/resourceGroups/RG-CRM")["type"] == "Microsoft.Resources/resourceGroups"


@pytest.mark.parametrize("kind", NETWORK_KINDS)
def test_every_network_resource_says_what_arm_says(kind: str) -> None:
    azure = make_caller()
    found = [item for subscription_id in (PROD, SPOKES, FABRIKAM) for item in azure.network(subscription_id, kind)]
    assert found
    for item in found:
        assert item["type"] == f"Microsoft.Network/{kind}"
        assert item["id"].endswith(f"/{kind}/{item['name']}")
        assert item["etag"].startswith('W/"')
        assert item["location"] in {"uksouth", "germanywestcentral"}
        assert item["properties"]["provisioningState"]
        assert azure.get(item["id"]) == item


@pytest.mark.parametrize("kind", COMPUTE_KINDS)
def test_every_compute_resource_says_what_arm_says(kind: str) -> None:
    azure = make_caller()
    found = [item for subscription_id in (PROD, SPOKES) for item in azure.compute(subscription_id, kind)]
    assert found
    assert all(item["type"] == f"Microsoft.Compute/{kind}" and azure.get(item["id"]) == item for item in found)


def test_lists_of_a_group_hold_that_group_only() -> None:
    azure = make_caller()
    names = {nic["name"] for nic in azure.items(f"/subscriptions/{SPOKES}/resourceGroups/rg-iot/providers/Microsoft.Network/networkInterfaces")}
    assert names == {"mq-01", "mq-02", "mq-03", "edg-01", "edg-02", "edg-03"}


def test_children_are_embedded_and_readable_by_themselves() -> None:
    azure = make_caller()
    vnet, nic = azure.get(VNET), azure.get(NIC)
    for collection in ("subnets", "virtualNetworkPeerings"):
        assert azure.items(f"{VNET}/{collection}") == vnet["properties"][collection]
    for collection in ("ipConfigurations", "tapConfigurations"):
        children = nic["properties"][collection]
        assert azure.items(f"{NIC}/{collection}") == children
        assert [azure.get(child["id"]) for child in children] == children
        assert {child["etag"] for child in children} == {nic["etag"]}
    balancer = f"{CRM}/loadBalancers/lb-web-basic"
    assert azure.get(f"{balancer}/frontendIPConfigurations/frontend")["properties"]["privateIPAddress"] == "10.1.1.200"


def test_power_state_comes_from_the_status_list_only() -> None:
    azure = make_caller()
    machines = azure.compute(SPOKES, "virtualMachines")
    statuses = azure.items(f"/subscriptions/{SPOKES}/providers/Microsoft.Compute/virtualMachines?{VERSION}&statusOnly=true")
    assert all("instanceView" not in machine["properties"] for machine in machines)
    assert {status["id"].lower() for status in statuses} == {machine["id"].lower() for machine in machines}
    assert {status["id"] for status in statuses}.isdisjoint({machine["id"] for machine in machines})
    codes = {status["name"]: status["properties"]["instanceView"]["statuses"][1]["code"] for status in statuses}
    assert (codes["ing-05"], codes["ing-04"]) == ("PowerState/deallocated", "PowerState/running")
    machine = next(machine for machine in machines if machine["name"] == "ing-05")
    assert azure.get(f"{machine['id']}/instanceView")["statuses"][1]["code"] == "PowerState/deallocated"
    expanded = azure.get(f"{machine['id']}?{VERSION}&$expand=instanceView")
    assert expanded["properties"]["instanceView"]["statuses"][1]["code"] == "PowerState/deallocated"


def test_members_of_a_scale_set_are_listed_by_their_set_alone() -> None:
    azure = make_caller()
    (scale_set,) = azure.compute(SPOKES, "virtualMachineScaleSets")
    nics = azure.items(f"{scale_set['id']}/networkInterfaces")
    assert len(nics) == scale_set["sku"]["capacity"] == 3
    assert {nic["id"] for nic in nics}.isdisjoint({nic["id"] for nic in azure.network(SPOKES, "networkInterfaces")})
    assert azure.items(f"{scale_set['id']}/virtualMachines/1/networkInterfaces") == [nics[1]]
    assert azure.get(nics[1]["id"]) == nics[1]
    assert azure.get(nics[1]["properties"]["ipConfigurations"][0]["id"])["properties"]["privateIPAddress"] == "10.1.1.101"
    pool = azure.get(f"{CRM}/loadBalancers/ilb-crm-workers/backendAddressPools/pool")
    assert [member["id"] for member in pool["properties"]["backendIPConfigurations"]] == [
        nic["properties"]["ipConfigurations"][0]["id"] for nic in nics
    ]


def test_permissions_and_feature() -> None:
    azure = make_caller()
    permissions = "providers/Microsoft.Authorization/permissions"
    (contributor,) = azure.items(f"/subscriptions/{PROD}/{permissions}")
    (reader,) = azure.items(f"/subscriptions/{SPOKES}/resourceGroups/rg-reports/{permissions}")
    assert "Microsoft.Network/*" in contributor["actions"]
    assert azure.items(f"/subscriptions/{SPOKES}/{permissions}") == [reader], "more there would reach the group that is only read"
    assert azure.items(f"{NIC}/{permissions}") == azure.items(f"/subscriptions/{SPOKES}/resourceGroups/RG-CRM/{permissions}") == [reader, contributor]
    assert reader == {"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}
    feature = "providers/Microsoft.Features/providers/Microsoft.Network/features/AllowVirtualNetworkTap"
    assert azure.get(f"/subscriptions/{SPOKES}/{feature}")["properties"]["state"] == "Registered"
    assert azure.get(f"/subscriptions/{FABRIKAM}/{feature}")["properties"]["state"] == "NotRegistered"


@pytest.mark.parametrize("page_size", [1, 7, 1_000])
@pytest.mark.parametrize("kind", ["Network/networkInterfaces", "Network/virtualNetworks", "Compute/virtualMachines", "Network/loadBalancers"])
def test_pages_of_any_size_sum_up(kind: str, page_size: int) -> None:
    whole, paged = make_caller(), make_caller(page_size=page_size)
    path = f"/subscriptions/{SPOKES}/providers/Microsoft.{kind}"
    pages = paged.pages(path)
    assert [item for page in pages for item in page] == whole.items(path)
    assert all(len(page) <= page_size for page in pages)
    assert paged.items("/subscriptions") == whole.items("/subscriptions")


def test_pages_may_be_empty() -> None:
    azure = make_caller(page_size=7)
    assert [len(page) for page in azure.pages(f"/subscriptions/{SPOKES}/providers/Microsoft.Compute/virtualMachines")][:3] == [7, 0, 7]
    azure = make_caller(page_size=1)
    assert azure.pages(f"{NETWORK}/virtualNetworks")[-1] == []


def test_next_link_is_absolute_on_the_host_that_was_asked() -> None:
    azure = make_caller(page_size=7)
    path = f"{NETWORK}/networkInterfaces?{VERSION}"
    headers = TOKEN | {"Host": "arm.example:8443"}
    link = json.loads(azure.call(path, headers=headers).body)["nextLink"]
    assert link.startswith(f"http://arm.example:8443{NETWORK}/networkInterfaces?")
    assert VERSION in link
    assert azure.get(path)["nextLink"].startswith(BASE_URL)
    assert len(azure.get(f"{path}&$top=3")["value"]) == 3
    assert azure.error(f"{path}&$skiptoken=nonsense") == (400, "InvalidSkipToken")


def test_refusals() -> None:
    azure = make_caller()
    assert azure.error("/subscriptions", headers={}) == (401, "InvalidAuthenticationToken")
    assert azure.error("/subscriptions?x=1") == (400, "MissingApiVersionParameter")
    assert azure.error("/subscriptions/nonsense/resourceGroups") == (400, "InvalidSubscriptionId")
    assert azure.error(f"/subscriptions/{PARTNER}/resourceGroups") == (404, "SubscriptionNotFound")
    assert azure.error(f"/subscriptions/{PROD}/resourceGroups/rg-none") == (404, "ResourceGroupNotFound")
    assert azure.error(f"{CRM}/networkInterfaces/none") == (404, "ResourceNotFound")
    assert azure.error(f"{NIC}/tapConfigurations/none") == (404, "NotFound")
    assert azure.error(f"{NETWORK}/natGateways") == (404, "InvalidResourceType")
    assert azure.error("/nowhere") == (404, "NotFound")
    assert azure.error(NIC, method="PUT", body=b"{}") == (405, "MethodNotAllowed")


def test_an_unreadable_subscription_is_listed_and_refuses_every_read() -> None:
    azure = make_caller()
    for kind in NETWORK_KINDS:
        assert azure.error(f"/subscriptions/{SHARED}/providers/Microsoft.Network/{kind}") == (403, "AuthorizationFailed")
    assert azure.error(f"/subscriptions/{SHARED}/resourceGroups") == (403, "AuthorizationFailed")
    assert azure.error(f"/subscriptions/{SHARED}") == (403, "AuthorizationFailed")


def test_one_resource_can_be_asked_for_again_by_etag() -> None:
    azure = make_caller()
    first = azure.call(NIC)
    assert first.headers["etag"] == json.loads(first.body)["etag"]
    again = azure.call(NIC, headers=TOKEN | {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert azure.call(NIC, headers=TOKEN | {"If-None-Match": 'W/"old"'}).status == 200


def test_every_answer_carries_ids() -> None:
    azure = make_caller()
    headers = TOKEN | {"x-ms-client-request-id": "step-7", "x-ms-return-client-request-id": "true", "x-ms-correlation-request-id": "run-9"}
    answer = azure.call(NIC, headers=headers)
    assert answer.headers["x-ms-request-id"]
    assert (answer.headers["x-ms-correlation-request-id"], answer.headers["x-ms-client-request-id"]) == ("run-9", "step-7")
    assert azure.server.log[-1].client_request_id == "step-7"


def test_the_read_budget_is_arms_and_refills() -> None:
    azure = make_caller(budgets=Budgets())
    assert azure.call(NIC).headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    assert [azure.call(NIC).status for _ in range(249)] == [200] * 249
    refused = azure.call(NIC)
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert azure.call("/subscriptions").headers["x-ms-ratelimit-remaining-tenant-reads"] == "249"
    azure.clock.now_s += 1
    assert [azure.call(NIC).status for _ in range(26)] == [200] * 25 + [429]


def test_the_network_provider_has_a_budget_of_its_own() -> None:
    azure = make_caller(budgets=Budgets(reads_burst=10_000, network_reads=3))
    assert [azure.call(NIC).status for _ in range(4)] == [200, 200, 200, 429]
    assert azure.call(f"/subscriptions/{SPOKES}/resourceGroups").status == 200
    azure.clock.now_s += 300
    assert azure.call(NIC).status == 200


@given(path=st.text(alphabet=st.characters(codec="latin-1")), host=st.text(alphabet=st.characters(codec="latin-1")))
@example(path="//[", host="[::1")
@example(path="/subscriptions?api-version=1&$top=" + "9" * 5_000, host="a")
@example(path="/subscriptions?api-version=1&$skiptoken=é", host="a")
@example(path="/subscriptions?api-version=1&$skiptoken=cGFnZToxMDAwMA==", host="a")
def test_whatever_is_asked_is_answered(path: str, host: str) -> None:
    for url in (path, f"/{path}", f"/subscriptions/{SPOKES}/{path}", f"{NIC}/{path}?{VERSION}", f"/_control/{path}", f"http://{path}"):
        for method in ("GET", "POST"):
            response = ANY.call(url, method=method, headers=TOKEN | {"Host": host}, body=path.encode())
            assert response.status in {200, 303, 400, 403, 404, 405}


def test_two_builds_are_the_same_to_the_byte() -> None:
    one, two = make_caller(estate=contoso.build()), make_caller(estate=contoso.build())
    for kind in NETWORK_KINDS:
        path = f"{NETWORK}/{kind}?{VERSION}"
        assert one.call(path).body == two.call(path).body
