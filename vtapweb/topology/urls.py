"""Pages of the map."""

from django.urls import path

from vtapweb.topology import views

urlpatterns = [
    path("", views.map_page, name="map"),
    path("map/empty", views.empty, name="map_empty"),
    path("map/mirror", views.mirror, name="map_mirror"),
    path("map/panel/<int:node_id>", views.panel, name="map_panel"),
]
