"""Pages of the map."""

from django.urls import path, re_path

from vtapweb.topology import views

urlpatterns = [
    path("", views.map_page, name="map"),
    path("map/empty", views.empty, name="map_empty"),
    path("map/mirror", views.mirror, name="map_mirror"),
    re_path(r"^map/sources/(?P<key>[a-z2-7]{26})$", views.sources, name="map_sources"),
    re_path(r"^map/reach/(?P<key>[a-z2-7]{26})$", views.reach, name="map_reach"),
    path("map/picking", views.picking, name="map_picking"),
    path("map/pick/<int:node_id>", views.pick, name="map_pick"),
    path("map/panel/<int:node_id>", views.panel, name="map_panel"),
    path("map/way/<int:node_id>", views.way, name="map_way"),
]
