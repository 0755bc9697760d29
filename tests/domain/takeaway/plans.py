"""Plans to take away: honest ones, and hypothesis's with hostile names."""

from hypothesis import strategies as st

from vtapweb.domain.takeaway import TakeawayPlan, TakeawayStep

SUBSCRIPTION = "6f1c2d3e-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-taps"
TAP = f"{GROUP}/providers/Microsoft.Network/virtualNetworkTaps/tap-uks"
DESTINATION = f"{GROUP}/providers/Microsoft.Network/loadBalancers/ilb-collector/frontendIPConfigurations/front"
VERSION = "2024-05-01"


def configuration_path(nic: str = "nic-web-01", group: str = "rg-web", name: str = "vtapweb") -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces/{nic}/tapConfigurations/{name}"


def mirror(nic: str = "nic-web-01", *, group: str = "rg-web", name: str = "vtapweb", tap: str = TAP, wave: int = 1) -> TakeawayStep:
    return TakeawayStep("PUT", configuration_path(nic, group, name), {"properties": {"virtualNetworkTap": {"id": tap}}}, nic, wave)


def unmirror(nic: str = "nic-web-01", *, wave: int = 1) -> TakeawayStep:
    return TakeawayStep("DELETE", configuration_path(nic), None, nic, wave)


def create(tags: dict[str, str] | None = None, path: str = TAP) -> TakeawayStep:
    properties = {"destinationLoadBalancerFrontEndIPConfiguration": {"id": DESTINATION}}
    return TakeawayStep("PUT", path, {"location": "uksouth", "tags": tags or {}, "properties": properties}, "tap-uks")


def retag(tags: dict[str, str]) -> TakeawayStep:
    return TakeawayStep("PATCH", TAP, {"tags": tags}, "tap-uks")


def plan(
    *steps: TakeawayStep, title: str = "2 of 2 NICs → ilb-collector", reason: str = "CASE-7", ticket: str = "", settle_s: int = 60
) -> TakeawayPlan:
    return TakeawayPlan(title=title, reason=reason, ticket=ticket, steps=steps, api_version=VERSION, settle_s=settle_s)


# Whatever ends a shell word, a comment or a Bicep string, and whatever Python lets into a text at all.
HOSTILE = st.text(
    alphabet=st.one_of(st.sampled_from("'\"`$(){}[]\\\n\r\t;&|<>!#*?~=-@ %é\u202e\u2028\ud800\0"), st.characters()), min_size=1, max_size=12
)
NAMES = HOSTILE.map(str.strip).filter(lambda text: "/" not in text and text != "")  # space around an ARM id is not part of it


@st.composite
def hostile_plans(draw: st.DrawFn) -> TakeawayPlan:
    name, nic, group, tag = draw(NAMES), draw(NAMES), draw(NAMES), draw(HOSTILE)
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces/{nic}/tapConfigurations/{name}"
    tap = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworkTaps/{name}"
    body = {"properties": {"virtualNetworkTap": {"id": tap}}}
    steps = (
        create({tag: draw(HOSTILE)}, path=tap),
        TakeawayStep("PUT", path, body, draw(HOSTILE), wave=2),
        TakeawayStep("DELETE", path, None, draw(HOSTILE), wave=2),
        retag({draw(HOSTILE): tag}),
    )
    return plan(*steps, title=draw(HOSTILE), reason=draw(HOSTILE), ticket=draw(HOSTILE))
