"""The Celery application. The database row is the truth of every job; a broker message is only a nudge (see inventory's leases)."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")

from celery import Celery

app = Celery("vtapweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
