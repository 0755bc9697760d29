"""What a screen that nobody touches for a week holds on to: the page of tests/e2e/test_wall_soak.py, played for 168 hours without a reload.

    an hour to warm up ── a week of frames, pictures, playlists, alarms, scenes, restarts ──▶ octets more a day, nodes and listeners more in all

`VTAPWEB_BENCH_SOAK_HOURS=12 bin/bench wall-soak` plays fewer hours; what it grew in them is told for a day all the same, so chance weighs more.
The reference is what the page held when it was warm.
"""

import os
import sys
from collections.abc import Iterator

from benchmarks import Result

WEEK_HOURS = 168
MOST_OCTETS_A_DAY = 5_000_000.0
MOST_NODES = 60.0


def run() -> Iterator[Result]:
    hours = int(os.environ.get("VTAPWEB_BENCH_SOAK_HOURS", WEEK_HOURS))  # read first: the settings of tests clear it
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from playwright.sync_api import sync_playwright

    from tests.e2e.conftest import FLAGS, found_browser
    from tests.e2e.played_wall import HOUR_S, Play, PlayedStand, World
    from tests.e2e.test_wall_soak import SMALL, START_MS

    with PlayedStand(World(START_MS)) as stand, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found_browser(), args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": SMALL["width"], "height": SMALL["height"]}, reduced_motion="reduce", locale="en-GB")
            play = Play(page, stand)
            play.run(HOUR_S, batch_s=290)
            before = play.held()
            after = before
            for hour in range(1, hours + 1):
                play.run(HOUR_S, batch_s=290)
                after = play.held()
                print(f"wall_soak: hour {hour} of {hours}: {after.octets - before.octets:+,} octets since it was warm", file=sys.stderr, flush=True)
            play.quiet()
            play.run(30)
            play.look()
            stats = page.evaluate("vtap.wall.stats()")
        finally:
            browser.close()
    wrong = len(play.problems) + stats["errors"] + stats["reloads"]
    name = f"wall_soak: {hours} h of a screen"
    octets = (after.octets - before.octets) * 24 / hours
    yield Result(
        name=f"{name}, memory more a day", value=octets, unit="octets", limit=MOST_OCTETS_A_DAY, reference="warm", reference_value=before.octets
    )
    yield Result(
        name=f"{name}, nodes more", value=after.nodes - before.nodes, unit="nodes", limit=MOST_NODES, reference="warm", reference_value=before.nodes
    )
    yield Result(name=f"{name}, listeners more", value=after.listeners - before.listeners, unit="listeners", limit=0)
    yield Result(name=f"{name}, errors and reloads", value=wrong, unit="errors", limit=0)
