"""`manage.py watch`: judges the health of collectors and sources every five seconds, and keeps the alarms. Of several, one leads."""

import json
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from vtapweb.traffic.watch.run import Watch


class Command(BaseCommand):
    help = "Judges the health of collectors every five seconds and keeps the alarms; of several, one leads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="judge once, print what is wrong as JSON, and end")

    def handle(self, *_args: Any, **options: Any) -> None:
        watch = Watch()
        if options["once"]:
            judged = watch.turn()
            watch.let_go()
            states = {} if judged is None else {key: one.state.value for key, one in judged.states.items()}
            causes = [] if judged is None else [{"cause": one.key, "rules": one.rule_ids, "findings": len(one.findings)} for one in judged.causes]
            self.stdout.write(json.dumps({"leads": judged is not None, "collectors": states, "causes": causes}))
            return
        is_over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: is_over.set())
        watch.run(is_over)
