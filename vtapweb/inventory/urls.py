"""The inventory's pages. A resource's page has the slug of its kind and the key of its id."""

from django.urls import path, re_path

from vtapweb.inventory import sync_views, views
from vtapweb.inventory.kinds import KINDS

_KEY = r"(?P<key>[a-z2-7]{26})"

urlpatterns = [
    path("table/<slug:slug>.csv", views.table_csv, name="table_csv"),
    path("table/<slug:slug>", views.table, name="table"),
    path("find", views.find_page, name="find"),
    path("select", views.select, name="select"),
    path("feed", sync_views.feed, name="feed"),
    path("syncs", sync_views.syncs, name="syncs"),
    path("syncs/start", sync_views.sync_start, name="sync_start"),
    path("syncs/holds/<int:hold_id>", sync_views.hold_decide, name="hold_decide"),
    path("syncs/<int:run_id>", sync_views.sync_detail, name="sync"),
    path("syncs/<int:run_id>/cancel", sync_views.sync_cancel, name="sync_cancel"),
    path("connect", sync_views.connect, name="connect"),
    path("connect/identity", sync_views.connect_identity, name="connect_identity"),
    path("partners", sync_views.partner_list, name="partners"),
    re_path(rf"^subscriptions/{_KEY}$", views.subscription, name="subscription"),
    *(re_path(rf"^{slug}/{_KEY}$", views.detail, {"slug": slug}, name=slug) for slug in KINDS),
]
