from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "vtapweb.web"
    label = "web"
