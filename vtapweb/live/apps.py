from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "vtapweb.live"
    label = "live"
