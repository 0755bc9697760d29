"""URLs of the taps room."""

from django.urls import URLPattern, URLResolver, path

from vtapweb.taps.views import changes

urlpatterns: list[URLPattern | URLResolver] = [
    path("changes", changes.changes, name="changes"),
    path("changes/<int:number>", changes.change_detail, name="change"),
]
