"""The ASGI application: HTTP to Django, WebSocket to the live room."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

application = ProtocolTypeRouter({"http": get_asgi_application()})
