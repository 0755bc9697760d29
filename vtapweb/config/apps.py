from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "vtapweb.config"
    label = "config"
