from django.apps import AppConfig


class TapsConfig(AppConfig):
    name = "vtapweb.taps"
    label = "taps"

    def ready(self) -> None:
        from vtapweb.taps import tasks  # noqa: F401 (registers them)
