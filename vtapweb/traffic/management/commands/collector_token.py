"""`manage.py collector_token`: an ingest token for a collector from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from vtapweb.domain.scope import Scope
from vtapweb.traffic.actions.tokens import token_create


class Command(BaseCommand):
    help = "Makes a token with which a collector sends its samples, and prints it, this once, on a line of its own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--destination", required=True, metavar="ARM_ID", help="what a TAP sends to: a NIC's ipConfiguration or a frontend")
        parser.add_argument("--member", default="", metavar="NIC_ARM_ID", help="only this member of a load-balanced collector")
        parser.add_argument("--name", default="", help="what uses it (default: the name of the member or destination)")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            token, secret = token_create(
                scope=Scope.everything(),
                destination_id=options["destination"],
                member_id=options["member"],
                name=options["name"],
                actor="manage.py collector_token",
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        of = f"member {token.member_name} of {token.destination_id}" if token.member_id else token.destination_id
        self.stderr.write(f"Collector token {token} for {of}. It is shown this once:")
        self.stdout.write(secret)
