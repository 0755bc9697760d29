from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "vtapweb.inventory"
    label = "inventory"

    def ready(self) -> None:
        from vtapweb.inventory import tasks  # noqa: F401 (registers them)
