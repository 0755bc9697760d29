#!/usr/bin/env python
"""Django's command line for vtapweb; `bin/manage` runs it inside the environment that `bin/up` made."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")
    from vtapweb.config import launch

    # Before Django reads its settings: `up` decides what they are, any other command adopts those of an `up` that runs on its data.
    if sys.argv[1:2] == ["up"]:
        if not {"-h", "--help"}.intersection(sys.argv):
            launch.end_quietly_on_signals()
            try:
                launch.decided = launch.decide(sys.argv[2:])
            except launch.LaunchRefusedError as refused:
                sys.exit(f"vtapweb: {refused}")
    elif os.environ["DJANGO_SETTINGS_MODULE"] == "vtapweb.config.settings" and "--settings" not in " ".join(sys.argv):
        launch.adopt_environment()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
