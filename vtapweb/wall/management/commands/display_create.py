"""`manage.py display_create`: a display from the command line, for images of screens that are set up without hands."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from vtapweb.domain.scope import Scope
from vtapweb.wall.actions import display_address, display_create
from vtapweb.wall.models import Display, WallView
from vtapweb.wall.selectors import groups_of, views_of

ACTOR = "manage.py display_create"


class Command(BaseCommand):
    help = "Makes a display and prints its address, this once, on a line of its own. The address opens one screen, once, within a week."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="what is written on it, NOC-2")
        parser.add_argument("--place", default="", help="where it hangs")
        parser.add_argument("--group", default="", help="the name of the room's group")
        parser.add_argument("--view", default="", metavar="V", help="what it shows: a view's name, number or kind (overview, map, sources, alarms)")
        parser.add_argument("--time-zone", default="UTC", help="Europe/London")
        parser.add_argument("--subscription", action="append", metavar="ID", help="may show only this subscription (repeatable); without it, all")
        parser.add_argument("--server", default=server_here(), metavar="URL", help="how the screen reaches vtapweb (default: %(default)s)")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        fields: dict[str, Any] = {"place": options["place"], "time_zone": options["time_zone"]}
        if options["view"]:
            fields["view"] = view_named(options["view"])
        if options["group"]:
            fields["group"] = next((group for group in groups_of(Scope.everything()) if group.name == options["group"]), None)
            if fields["group"] is None:
                raise CommandError(f"No group is called {options['group']}.")
        try:
            display = display_create(
                name=options["name"], fields=fields, subscription_ids=options["subscription"], acting_user=None, actor=ACTOR
            )  # fmt: skip
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        token = display_address(display=display, acting_user=None, actor=ACTOR)
        self.stderr.write(f"{said_of(display)} Its address is shown this once, and opens one screen within a week:")
        self.stdout.write(f"{options['server'].rstrip('/')}/wall/{token}")


def server_here() -> str:
    """What people call this installation, as far as the settings know: the first trusted origin, else where `bin/up` listens."""
    return next((origin for origin in settings.CSRF_TRUSTED_ORIGINS if "*" not in origin), "http://127.0.0.1:8000")


def view_named(text: str) -> WallView:
    """A view by name, number or, for the built-in ones, kind. Raises CommandError."""
    views = views_of(Scope.everything())
    for view in views:
        if text in (view.name, str(view.pk)) or (view.is_builtin and text == view.kind):
            return view
    raise CommandError(f"No view is called {text}. There are: {', '.join(view.name for view in views)}.")


def said_of(display: Display) -> str:
    sees = "all subscriptions" if display.has_all_subscriptions else f"{len(display.subscription_ids)} subscription(s)"
    return f"Display {display.name}: sees {sees}."
