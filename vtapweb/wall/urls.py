"""The room's addresses. All of /wall… answers for itself, by a display's cookie (vtapweb.access.middleware lets it through)."""

from django.urls import URLPattern, path, re_path

from vtapweb.wall import feeds, views

urlpatterns: list[URLPattern] = [
    path("wall", views.wall, name="wall"),
    path("wall/state", views.state, name="wall_state"),
    path("wall/pairing", views.pairing, name="wall_pairing"),
    path("wall/pairing/qr", views.pairing_qr, name="wall_pairing_qr"),
    path("wall/topology", feeds.topology, name="wall_topology"),
    path("wall/traffic", feeds.traffic, name="wall_traffic"),
    re_path(r"^wall/qr/(?P<number>[0-9]{1,9})$", feeds.qr, name="wall_qr"),
    re_path(r"^wall/(?P<token>vtd_[A-Za-z0-9_-]{20,80})$", views.enter, name="wall_enter"),
]
