from django.apps import AppConfig


class TrafficConfig(AppConfig):
    name = "vtapweb.traffic"
    label = "traffic"

    def ready(self) -> None:
        from vtapweb.traffic import tasks  # noqa: F401 (registers them)
