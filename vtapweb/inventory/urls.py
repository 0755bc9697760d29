"""The inventory's pages. A resource's page has the slug of its kind and the key of its id."""

from django.urls import path, re_path

from vtapweb.inventory import views
from vtapweb.inventory.kinds import KINDS

_KEY = r"(?P<key>[a-z2-7]{26})"

urlpatterns = [
    path("table/<slug:slug>.csv", views.table_csv, name="table_csv"),
    path("table/<slug:slug>", views.table, name="table"),
    path("find", views.find_page, name="find"),
    path("select", views.select, name="select"),
    re_path(rf"^subscriptions/{_KEY}$", views.subscription, name="subscription"),
    *(re_path(rf"^{slug}/{_KEY}$", views.detail, {"slug": slug}, name=slug) for slug in KINDS),
]
