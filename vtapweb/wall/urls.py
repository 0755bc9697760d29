"""The room's addresses. All of /wall… answers for itself, by a display's cookie (vtapweb.access.middleware lets it through)."""

from django.urls import URLPattern, path, re_path

from vtapweb.wall import views

urlpatterns: list[URLPattern] = [
    path("wall", views.wall, name="wall"),
    path("wall/state", views.state, name="wall_state"),
    path("wall/pairing", views.pairing, name="wall_pairing"),
    re_path(r"^wall/(?P<token>vtd_[A-Za-z0-9_-]{20,80})$", views.enter, name="wall_enter"),
]
