"""What the shell shows on every page: theme, navigation, who looks, how old the inventory is. A context processor; no page passes it by hand."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from vtapweb.access.role import Role
from vtapweb.inventory.freshness import freshness
from vtapweb.taps.selectors.writes import write_stop

THEMES = ("dark", "light", "system")
THEME_COOKIE = "vtap_theme"

# label, address, icon (a symbol of templates/ui/icons.html), needs the admin role, further paths that belong to the item
NAVIGATION: tuple[tuple[str, str, str, bool, tuple[str, ...]], ...] = (
    ("Map", "/", "map", False, ("/map",)),
    ("Tables", "/table/nics", "table", False, ("/table", "/find", *(f"/{slug}/" for slug in (
        "subscriptions", "vnets", "subnets", "nics", "peerings", "virtual-machines", "load-balancers", "taps", "tap-configurations",
        "network-security-groups", "availability-sets", "scale-sets", "resource-groups",
    )))),
    ("Collectors", "/collectors", "collector", False, ("/collectors",)),
    ("Alarms", "/alarms", "alarm", False, ("/alarms", "/handover")),
    ("Coverage", "/coverage", "coverage", False, ("/coverage",)),
    ("Changes", "/changes", "changes", False, ("/changes", "/mirror")),
    ("Ledger", "/unaccounted", "ledger", False, ("/unaccounted", "/drift", "/expiring", "/preparation", "/evidence")),
    ("Walls", "/displays", "wall", False, ("/displays",)),
    ("Changes feed", "/feed", "feed", False, ("/feed",)),
    ("Syncs", "/syncs", "sync", False, ("/syncs",)),
    ("Connect", "/connect", "connect", False, ("/connect", "/partners")),
    ("Settings", "/settings/writes", "settings", False, ("/settings",)),
    ("Audit", "/audit", "audit", True, ("/audit", "/tokens")),
)  # fmt: skip
BADGES = {
    "/unaccounted": "/unaccounted/counts",
    "/alarms": "/alarms/counts",
}  # badges that the browser asks for by itself: no page waits
ROLE_WORDS = {
    "viewer": "Viewer: sees, changes nothing",
    "operator": "Operator: may start syncs, plan and apply changes",
    "admin": "Admin: may do everything",
}


@dataclass(frozen=True, slots=True)
class NavItem:
    label: str
    url: str
    icon: str
    is_current: bool
    badge: str = ""


@dataclass(frozen=True, slots=True)
class ShellViewer:
    name: str
    initials: str
    role_words: str
    has_password: bool


def theme_of(request: HttpRequest) -> str:
    """The theme chosen in this browser; "system" follows the device. Unknown cookie values count as no choice."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "system"


def navigation(path: str, *, is_admin: bool) -> list[NavItem]:
    """The rail for one path, in its fixed order; items that need the admin role only for admins."""
    return [
        NavItem(label, url, icon, path == url or any(path.startswith(prefix) for prefix in prefixes), BADGES.get(url, ""))
        for label, url, icon, needs_admin, prefixes in NAVIGATION
        if is_admin or not needs_admin
    ]


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor: `shell` for the templates of `templates/ui/`."""
    viewer = getattr(request, "viewer", None)
    shown = None
    if viewer is not None:
        name = str(viewer.name)
        has_password = viewer.user is not None and viewer.user.has_usable_password()
        shown = ShellViewer(name, name[:2], ROLE_WORDS.get(str(viewer.role), str(viewer.role)), has_password)
    return {
        "shell": {
            "theme": theme_of(request),
            "is_demo": settings.CLOUD == "simulator",
            "nav": navigation(request.path, is_admin=viewer is not None and str(viewer.role) == "admin"),
            "viewer": shown,
            "may_show_on_wall": viewer is not None and viewer.may(Role.OPERATOR),
            "inventory": freshness(viewer.scope) if viewer is not None else None,
            "write_stop": write_stop(viewer.scope) if viewer is not None and viewer.may(Role.OPERATOR) else None,
        }
    }
