"""`manage.py writes`: whether vtapweb may write to Azure, told and switched from the command line."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from vtapweb.domain.scope import Scope
from vtapweb.taps.actions.writes import PREVIEW_NOTICE, writes_disable, writes_enable, writes_resume, writes_stop
from vtapweb.taps.selectors.writes import subscriptions_with_writes, write_stop
from vtapweb.web.text import visible


def actor() -> str:
    """This command and who runs it, as far as the system tells."""
    try:
        return f"manage.py writes ({getpass.getuser()})"
    except (KeyError, OSError):  # a uid without a name, as containers have it
        return "manage.py writes"


class Command(BaseCommand):
    help = "Whether vtapweb may write to Azure: prints the state of every subscription, after switching what is asked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--enable", action="store_true", help="let vtapweb write, and accept Azure's preview notice, which is printed")
        what.add_argument("--disable", action="store_true", help="make read-only")
        what.add_argument("--stop", action="store_true", help="stop all writes of all subscriptions at once")
        what.add_argument("--resume", action="store_true", help="lift that stop")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--subscription", action="append", metavar="ID", help="this subscription (repeatable)")
        which.add_argument("--all", action="store_true", help="every subscription that a sync has listed")
        parser.add_argument("--reason", default="", help="why; it stands in the audit record")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            self.switch(options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.tell()

    def switch(self, options: dict[str, Any]) -> None:
        """Does what was asked. Raises ValidationError and CommandError."""
        reason, who = options["reason"], actor()
        if options["stop"]:
            writes_stop(reason=reason, actor=who)
        elif options["resume"]:
            writes_resume(reason=reason, actor=who)
        elif options["enable"]:
            wanted = self.wanted(options)
            self.stderr.write(PREVIEW_NOTICE)
            writes_enable(subscription_ids=wanted, reason=reason, is_notice_accepted=True, actor=who)
        elif options["disable"]:
            writes_disable(subscription_ids=self.wanted(options), reason=reason, actor=who)

    def wanted(self, options: dict[str, Any]) -> list[str]:
        if options["subscription"]:
            return list(options["subscription"])
        if not options["all"]:
            raise CommandError("Say which: --subscription ID (repeatable), or --all.")
        known = [row.subscription_id for row, _ in subscriptions_with_writes(Scope.everything())]
        if not known:
            raise CommandError("No subscription is known yet. Run a sync first: manage.py sync")
        return known

    def tell(self) -> None:
        stop = write_stop(Scope.everything())
        if stop is not None:
            self.stdout.write(f"ALL WRITES ARE STOPPED, by {visible(stop.by)} at {stop.at:%Y-%m-%d %H:%M} UTC: {visible(stop.reason)}")
        rows = subscriptions_with_writes(Scope.everything())
        for row, state in rows:
            word = "enabled" if state.is_enabled else "read-only"
            why = f", {visible(state.by)} at {state.at:%Y-%m-%d %H:%M} UTC: {visible(state.reason)}" if state.at else ", as it started"
            window = ", only in a change window" if state.requires_window else ""
            self.stdout.write(f"{word:<9}  {row.subscription_id}  {visible(row.name)}{window}{why}")
        if not rows:
            self.stdout.write("No subscription is known yet. Run a sync first: manage.py sync")
