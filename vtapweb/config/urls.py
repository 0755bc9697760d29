"""The URL table: one include a room. INTERFACES names in docs/interfaces.md are kept."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
