from django.apps import AppConfig


class TopologyConfig(AppConfig):
    name = "vtapweb.topology"
    label = "topology"

    def ready(self) -> None:
        from vtapweb.topology import tasks  # noqa: F401 - registers the tasks
