"""The URL table: one include a room. Others rely on these names: they are kept."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from vtapweb.config.api import api
from vtapweb.web.problem import too_many_requests

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("vtapweb.access.urls")),
    path("", include("vtapweb.taps.urls")),  # before the inventory: it adds to the pages of NICs, TAPs and load balancers
    path("", include("vtapweb.traffic.urls")),
    path("", include("vtapweb.inventory.urls")),
    path("", include("vtapweb.topology.urls")),
    path("", include("vtapweb.wall.urls")),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
]

handler400 = "vtapweb.web.problem.bad_request"
handler403 = "vtapweb.web.problem.permission_denied"
handler404 = "vtapweb.web.problem.not_found"
handler500 = "vtapweb.web.problem.server_error"
handler429 = too_many_requests  # allauth's
