"""The room's addresses. All of /wall… answers for itself, by a display's cookie (vtapweb.access.middleware lets it through)."""

from django.urls import URLPattern, path, re_path

from vtapweb.wall import desk_pages, feeds, shelf_pages, showing_pages, views

urlpatterns: list[URLPattern] = [
    path("wall", views.wall, name="wall"),
    path("wall/state", views.state, name="wall_state"),
    path("wall/pairing", views.pairing, name="wall_pairing"),
    path("wall/pairing/qr", views.pairing_qr, name="wall_pairing_qr"),
    path("wall/topology", feeds.topology, name="wall_topology"),
    path("wall/traffic", feeds.traffic, name="wall_traffic"),
    re_path(r"^wall/qr/(?P<number>[0-9]{1,9})$", feeds.qr, name="wall_qr"),
    re_path(r"^wall/(?P<token>vtd_[A-Za-z0-9_-]{20,80})$", views.enter, name="wall_enter"),
    path("displays", desk_pages.displays, name="displays"),
    path("displays/new", desk_pages.display_new, name="display_new"),
    path("displays/pair", desk_pages.display_pair, name="display_pair"),
    path("displays/show", showing_pages.show, name="wall_show"),
    path("displays/<int:pk>", desk_pages.display, name="display"),
    re_path(r"^displays/(?P<pk>[0-9]{1,18})/(?P<deed>identify|reload|push|take-back|address|revoke)$", desk_pages.act, name="display_act"),
    path("displays/views", shelf_pages.views, name="wall_views"),
    path("displays/views/<int:pk>", shelf_pages.view, name="wall_view"),
    path("displays/views/<int:pk>/remove", shelf_pages.view_remove, name="wall_view_remove"),
    path("displays/playlists", shelf_pages.playlists, name="wall_playlists"),
    path("displays/playlists/new", shelf_pages.playlist, name="wall_playlist_new"),
    path("displays/playlists/<int:pk>", shelf_pages.playlist, name="wall_playlist"),
    path("displays/playlists/<int:pk>/remove", shelf_pages.playlist_remove, name="wall_playlist_remove"),
    path("displays/groups", shelf_pages.groups, name="wall_groups"),
    path("displays/groups/<int:pk>", shelf_pages.group, name="wall_group"),
    path("displays/groups/<int:pk>/scene", shelf_pages.group_scene, name="wall_group_scene"),
    path("displays/groups/<int:pk>/stage", shelf_pages.group_stage, name="wall_group_stage"),
    path("displays/groups/<int:pk>/remove", shelf_pages.group_remove, name="wall_group_remove"),
]
