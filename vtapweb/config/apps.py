from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "vtapweb.config"
    label = "config"

    def ready(self) -> None:
        """Every process that may start a task knows the queue: web, commands and the supervisor as well as workers."""
        from vtapweb.config import celery  # noqa: F401 - sets the default Celery application
