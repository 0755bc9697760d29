"""`manage.py meter`: makes rates of samples, once a second, until it is told to end. A second one stands by."""

import signal
import sys
from typing import Any, Final

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vtapweb.traffic.garbage import settle
from vtapweb.traffic.meter.service import Service
from vtapweb.traffic.meter.tables import Tables
from vtapweb.traffic.store import GIVE_UP_AFTER_S

NAMES_WITHIN_S: Final = 5.0  # then it begins without them


class Command(BaseCommand):
    help = "Turns samples of collectors into rates, once a second. One works, any further one stands by."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("REDIS_URL is not set, so there is nothing to read from.")
        client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=GIVE_UP_AFTER_S, socket_connect_timeout=GIVE_UP_AFTER_S)
        tables = Tables()
        service = Service(client, tables)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: service.stop())
        tables.start()
        tables.wait_for_first(within_s=NAMES_WITHIN_S)
        settle()
        try:
            service.run()
        finally:
            tables.stop()
            client.close()
        sys.exit(0)
