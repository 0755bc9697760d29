"""What Celery does for the room `traffic`."""
