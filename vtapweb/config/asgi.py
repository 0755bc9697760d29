"""The ASGI application: samples to the ingest, all other HTTP to Django, WebSocket to the live room."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

from vtapweb.config.request_id import Application, Message, Receive, Send

django: Application = get_asgi_application()

from vtapweb.live.urls import websocket_urlpatterns  # noqa: E402 - only once Django is set up
from vtapweb.traffic.ingest.app import PREFIX, Ingest  # noqa: E402

ingest = Ingest()


others: Application = ProtocolTypeRouter({"http": django, "websocket": URLRouter(websocket_urlpatterns)})


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Django's handler costs twenty times what the ingest does, so the ingest is asked before it."""
    if scope["type"] == "http" and scope["path"].startswith(PREFIX):
        await ingest(scope, receive, send)
    else:
        await others(scope, receive, send)
