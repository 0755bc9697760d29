from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "vtapweb.inventory"
    label = "inventory"
