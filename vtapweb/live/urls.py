"""Addresses of sockets."""

from typing import Any

from django.urls import path, re_path

from vtapweb.live.consumers import LiveConsumer, NothingHere

live: Any = LiveConsumer.as_asgi()  # Django's types know views only; Channels routes ASGI applications by the same patterns
nothing: Any = NothingHere.as_asgi()

websocket_urlpatterns: list[Any] = [path("ws/live", live), re_path(r"", nothing)]
