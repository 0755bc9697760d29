"""`manage.py token_create`: an API token from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from vtapweb.access.actions import token_create
from vtapweb.access.models import Role


class Command(BaseCommand):
    help = "Makes an API token and prints it, this once, on a line of its own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="who or what will use it")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--subscription", action="append", metavar="ID", help="may see only this subscription (repeatable); without it, all")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            token, secret = token_create(
                name=options["name"],
                role=Role(options["role"]),
                subscription_ids=options["subscription"],
                acting_user=None,
                actor="manage.py token_create",
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        sees = "all subscriptions" if token.has_all_subscriptions else f"{len(token.subscription_ids)} subscription(s)"
        self.stderr.write(f"Token {token}: role {token.role}, sees {sees}. It is shown this once:")
        self.stdout.write(secret)
