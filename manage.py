#!/usr/bin/env python
"""Django's command line for vtapweb; `bin/manage` runs it inside the environment that `bin/up` made."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
