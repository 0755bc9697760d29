from django.apps import AppConfig


class UiConfig(AppConfig):
    name = "vtapweb.ui"
    label = "ui"
