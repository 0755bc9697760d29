"""`manage.py admin_create_first`: the admin of a fresh installation; `manage.py up` calls it at each start."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from vtapweb.access.actions import admin_create_first


class Command(BaseCommand):
    help = "Makes the first admin and prints “sign in: admin / PASSWORD”, once. Does nothing, and prints nothing, when there are people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = settings.DATA_DIR / "admin-password"
        parser.add_argument("--password-file", type=Path, default=default, help="where the password is kept, mode 0600 (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        try:
            made = admin_create_first(password_file=options["password_file"])
        except OSError as error:
            raise CommandError(f"The password can't be kept in {options['password_file']}: {error.strerror}. No admin was made.") from error
        if made is not None:
            user, password = made
            self.stdout.write(f"sign in: {user.username} / {password}")
