"""`manage.py sync`: one foreground sync; exit code 0 complete, 3 partial, 1 failed."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from vtapweb.events.jobs import perform_here
from vtapweb.inventory.actions import sync_run_in_foreground
from vtapweb.inventory.models import SyncRun
from vtapweb.inventory.selectors import run_report

EXIT_CODES = {"complete": 0, "partial": 3}
# What a worker does after each sync and people need: done here too, as there may be none. Both may be done twice.
AFTER_SYNC = ("taps.reconcile", "taps.refresh_conditions")


class Command(BaseCommand):
    help = "Read Azure now and store what changed. Exit code 0: complete, 3: partial, 1: failed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--subscription", metavar="ID", action="append", help="only this one; may be given again")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

    def handle(self, **options: Any) -> None:
        if not settings.CLOUD:
            raise CommandError("VTAPWEB_CLOUD is not set. Say public, usgov, china or custom, or run this beside bin/up on the same data directory.")
        if SyncRun._meta.db_table not in connection.introspection.table_names():
            raise CommandError(f"The database has no tables yet (data in {settings.DATA_DIR}). Run: bin/manage migrate")
        try:
            run = sync_run_in_foreground(subscription_ids=options["subscription"], actor="manage.py sync")
        except ValueError as error:
            raise CommandError(str(error)) from error
        for subscription_id in run.subscription_syncs.exclude(state="failed").values_list("subscription_id", flat=True):
            for task_name in AFTER_SYNC:
                perform_here(task_name, subscription_id=subscription_id)
        report = run_report(run)
        self.stdout.write(json.dumps(report, indent=2) if options["json"] else "\n".join(sentences(run, report)))
        code = EXIT_CODES.get(run.state, 1)
        if code:
            sys.exit(code)


def sentences(run: SyncRun, report: dict[str, Any]) -> list[str]:
    """The report for people, a line a subscription, and under a partial one a line for each list that was not read."""
    lines = [
        f"Run {run.pk}: {run.state} in {report['seconds']} s. Added {report['added']}, changed {report['changed']}, removed {report['removed']}."
    ]
    if run.message:
        lines.append(run.message)
    for subscription in report["subscriptions"]:
        error = subscription["error"]
        lines.append(
            f"{subscription['name'] or subscription['id']}: {subscription['state']}" + (f" ({error['code']} {error['message']})" if error else "")
        )
        for kind, state in subscription["kinds"].items():
            if state["status"] != "complete" and subscription["state"] != "failed":
                lines.append(f"  {kind}: {state['status']} {state['code']} {state['message']}".rstrip())
    return lines
