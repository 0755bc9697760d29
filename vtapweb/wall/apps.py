from django.apps import AppConfig


class WallConfig(AppConfig):
    name = "vtapweb.wall"
    label = "wall"
