"""The ASGI application: HTTP to Django, WebSocket to the live room."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from vtapweb.live.urls import websocket_urlpatterns  # noqa: E402 - only once Django is set up

application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})
