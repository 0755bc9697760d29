"""The room's pages."""

from django.urls import URLPattern, path, re_path

from vtapweb.traffic import agent_page, alarm_pages, pages, prometheus_page

COLLECTOR = r"^collectors/(?P<key>[a-z2-7]{26})"

urlpatterns: list[URLPattern] = [
    path("alarms", alarm_pages.alarm_list, name="alarms"),
    path("alarms/counts", alarm_pages.counts, name="alarm_counts"),
    re_path(r"^alarms/A-(?P<number>[0-9]{1,9})$", alarm_pages.alarm, name="alarm"),
    re_path(r"^alarms/A-(?P<number>[0-9]{1,9})/(?P<deed>take|release|acknowledge|note|mute|unmute)$", alarm_pages.act, name="alarm_act"),
    path("handover", alarm_pages.handover_page, name="handover"),
    path("settings/webhooks", alarm_pages.webhooks, name="traffic_webhooks"),
    path("settings/webhooks/<int:pk>/remove", alarm_pages.webhook_end, name="traffic_webhook_remove"),
    re_path(rf"{COLLECTOR}/maintenance$", alarm_pages.maintenance, name="traffic_maintenance"),
    re_path(rf"{COLLECTOR}/maintenance/(?P<pk>[0-9]{{1,18}})/end$", alarm_pages.maintenance_stop, name="traffic_maintenance_end"),
    re_path(r"^nics/(?P<key>[a-z2-7]{26})/way$", pages.nic_way, name="nic_way"),
    path("collectors", pages.collectors, name="collectors"),
    re_path(rf"{COLLECTOR}$", pages.collector, name="collector"),
    re_path(rf"{COLLECTOR}/agent$", agent_page.agent, name="traffic_agent"),
    re_path(rf"{COLLECTOR}/agent/(?P<pk>[0-9]{{1,18}})/rotate$", agent_page.rotate, name="traffic_agent_rotate"),
    re_path(rf"{COLLECTOR}/agent/(?P<pk>[0-9]{{1,18}})/revoke$", agent_page.revoke, name="traffic_agent_revoke"),
    re_path(rf"{COLLECTOR}/prometheus$", prometheus_page.sources, name="traffic_prometheus"),
    re_path(rf"{COLLECTOR}/prometheus/(?P<pk>[0-9]{{1,18}})$", prometheus_page.source, name="traffic_prometheus_edit"),
    re_path(rf"{COLLECTOR}/prometheus/(?P<pk>[0-9]{{1,18}})/remove$", prometheus_page.remove, name="traffic_prometheus_remove"),
    re_path(r"^agent/(?P<name>vtap_agent\.py|install\.sh)$", agent_page.download, name="traffic_agent_download"),
]
