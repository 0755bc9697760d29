"""Wires all rooms: settings, URLs, ASGI, Celery and `manage.py up`. Nobody imports it."""
