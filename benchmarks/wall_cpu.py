"""What a wall costs its screen's machine: all processes of a headless Chromium without GPU that shows the overview of a running installation.

    bin/up (simulated estate S, M) ── pictures, a frame of rates a second ──▶ Chromium, 1920 × 1080: processor time over 40 s, percent of one core

The limit is on 1080p, with every view that holds a map. 4K is measured beside it and has no limit of its own but the machine.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks import Result

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIMIT_PERCENT = 35.0
SETTLE_S = 10.0
MEASURED_S = 40.0
READY = "() => window.vtap?.wall?.ready && vtap.wall.rates().taken > 5 && vtap.wall.stats().map?.nics > 0 && vtap.wall.stats().map.rasters > 0"
SCREENS = {"1080p": (1920, 1080), "4K": (3840, 2160)}


def run() -> Iterator[Result]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")
    from tests.drills.stack import Installation
    from tests.house.processes import Up

    for size in ("S", "M"):
        with tempfile.TemporaryDirectory(prefix="vtapweb-bench-") as folder:
            data_dir = Path(folder) / "data"
            with Up(data_dir, "--size", size) as up:
                address = up.ready()
                installation = Installation(data_dir)
                for kind in ("overview", "map"):
                    made = installation.manage("display_create", "--name", f"bench-{kind}", "--view", kind, "--server", address)
                    if made.returncode:
                        raise RuntimeError(made.stderr)
                    yield from _measured(made.stdout.strip(), size, kind)


def _measured(address: str, size: str, kind: str) -> Iterator[Result]:
    from playwright.sync_api import sync_playwright

    from tests.e2e.conftest import FLAGS, found_browser
    from tests.waiting import eventually

    with sync_playwright() as playwright, tempfile.TemporaryDirectory(prefix="vtapweb-bench-browser-") as profile:
        context = playwright.chromium.launch_persistent_context(profile, executable_path=found_browser(), args=FLAGS)
        try:
            page = context.new_page()
            page.goto(address)
            for screen, (width, height) in SCREENS.items():
                limit = LIMIT_PERCENT if screen == "1080p" else 100.0 * (os.cpu_count() or 1)
                page.set_viewport_size({"width": width, "height": height})
                eventually(lambda: page.evaluate(READY), within_s=180, why="the wall draws its map with rates")
                yield Result(name=f"wall_cpu: {kind} of {size} at {screen}", value=_percent(page, profile), unit="percent", limit=limit)
        finally:
            context.close()


def _percent(page: "Page", profile: str) -> float:
    """Of one core, over MEASURED_S. Raises RuntimeError when the wall did not draw meanwhile: a still picture costs nothing."""
    time.sleep(SETTLE_S)
    before = page.evaluate("vtap.wall.stats()")
    began, spent = time.monotonic(), _spent(profile)
    time.sleep(MEASURED_S)
    percent = 100 * (_spent(profile) - spent) / (time.monotonic() - began)
    after = page.evaluate("vtap.wall.stats()")
    drawn, drawn_map = after["drawn"] - before["drawn"], after["map"]["draws"] - before["map"]["draws"]
    if drawn < MEASURED_S / 6 or drawn_map < MEASURED_S / 6:
        raise RuntimeError(f"the wall drew {drawn} times and its map {drawn_map} times in {MEASURED_S:.0f} s")
    return percent


def _spent(profile: str) -> float:
    """Seconds of processor time that the browser with this profile has used, all its processes together."""
    browser = [one for one in psutil.Process().children(recursive=True) if f"--user-data-dir={profile}" in one.cmdline()]
    whole = {child.pid: child for one in browser for child in (one, *one.children(recursive=True))}
    return float(sum(times.user + times.system for times in (one.cpu_times() for one in whole.values())))
