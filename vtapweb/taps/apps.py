from django.apps import AppConfig


class TapsConfig(AppConfig):
    name = "vtapweb.taps"
    label = "taps"
