from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "vtapweb.access"
    label = "access"

    def ready(self) -> None:
        from vtapweb.access import signals  # noqa: F401 - connects the receivers of Django's sign-in signals
