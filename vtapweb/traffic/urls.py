"""The room's pages."""

from django.urls import URLPattern, path, re_path

from vtapweb.traffic import agent_page, pages

COLLECTOR = r"^collectors/(?P<key>[a-z2-7]{26})"

urlpatterns: list[URLPattern] = [
    path("collectors", pages.collectors, name="collectors"),
    re_path(rf"{COLLECTOR}$", pages.collector, name="collector"),
    re_path(rf"{COLLECTOR}/agent$", agent_page.agent, name="traffic_agent"),
    re_path(rf"{COLLECTOR}/agent/(?P<pk>[0-9]{{1,18}})/rotate$", agent_page.rotate, name="traffic_agent_rotate"),
    re_path(rf"{COLLECTOR}/agent/(?P<pk>[0-9]{{1,18}})/revoke$", agent_page.revoke, name="traffic_agent_revoke"),
    re_path(r"^agent/(?P<name>vtap_agent\.py|install\.sh)$", agent_page.download, name="traffic_agent_download"),
]
