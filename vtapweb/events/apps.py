from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "vtapweb.events"
    label = "events"
