"""`bin/pictures`: starts the demo on a free port and a temporary data directory, looks at it in Chromium, and writes docs/pictures/*.png,
with one of the wall on its stand.

`bin/pictures --wall [NAME …]` takes the golden pictures of the wall anew, all or those whose names begin so: tests/e2e/golden/pictures/*.png.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import django
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.conftest import FLAGS, found_browser
from tests.house.processes import Up

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
SIZE = {"width": 1440, "height": 900}
WALL_WIDTH = 1440
LARGEST = 300_000  # octets: they are committed
# name, theme, address, the condition in the page that says that all is drawn
SHOTS = (
    ("map-dark", "dark", "/", "() => window.vtap?.graph?.ready && vtap.graph.live().hasRates"),
    ("map-light", "light", "/", "() => window.vtap?.graph?.ready && vtap.graph.live().hasRates"),
    ("table-dark", "dark", "/table/nics", "() => document.querySelectorAll('[data-test=table] tbody tr').length > 0"),
)


def shoot(page: Page, address: str, name: str, theme: str, path: str, is_drawn: str) -> Path:
    page.context.add_cookies([{"name": "vtap_theme", "value": theme, "url": address}])
    page.goto(path)
    page.wait_for_function(is_drawn)
    page.locator("#live-pill[data-state=live]").wait_for()
    page.evaluate("async () => { await document.fonts.ready; if (window.vtap?.graph) await window.vtap.graph.idle(); }")
    picture = PICTURES / f"{name}.png"
    page.screenshot(path=picture, animations="disabled")
    return picture


def shoot_wall(browser: Browser) -> Path:
    """The wall on its stand, as the golden pictures have it: there something is broken, and a quarter of an hour is behind its curves."""
    from tests.e2e.golden.album import small
    from tests.e2e.golden.camera import take
    from tests.e2e.golden.scenes import scene

    png, _words = take(lambda **options: browser.new_context(**options).new_page(), scene("overview", "S", "alarmed"), "1080p")
    picture = PICTURES / "wall-dark.png"
    small(png, WALL_WIDTH).quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE).save(picture, optimize=True)
    return picture


def take_wall(wanted: Sequence[str]) -> int:
    from tests.e2e.golden import album
    from tests.e2e.golden.camera import take
    from tests.e2e.golden.scenes import scene

    chosen = [shot for shot in album.shots() if not wanted or shot.name.startswith(tuple(wanted))]
    album.PICTURES.mkdir(exist_ok=True)
    words: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(args=FLAGS, executable_path=found_browser())
        for shot in chosen:
            made = scene(shot.view, shot.size, shot.condition, theme=shot.theme)
            png, words[shot.name] = take(lambda **options: browser.new_context(**options).new_page(), made, shot.screen)
            for context in browser.contexts:
                context.close()
            sys.stdout.write(f"{shot.path.relative_to(ROOT)}: {album.keep(shot, png) / 1000:.0f} kB\n")
            sys.stdout.flush()
        if wanted and album.WORDS.exists():
            words = album.kept_words()["words"] | words
        album.write_words(int(browser.version.partition(".")[0]), words)
        browser.close()
    for path in album.PICTURES.glob("*.png"):
        if path.stem not in words and not wanted:
            path.unlink()
    return 0


def told(picture: Path) -> bool:
    """Says how large it is; whether that is too large."""
    octets = picture.stat().st_size
    sys.stdout.write(f"{picture.relative_to(ROOT)}: {octets / 1000:.0f} kB\n")
    return octets > LARGEST


def main(arguments: Sequence[str]) -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    if arguments[:1] == ["--wall"]:
        return take_wall(arguments[1:])
    too_large = []
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vtapweb-pictures-") as directory, Up(Path(directory) / "data") as up, sync_playwright() as playwright:
        address = up.ready()
        browser = playwright.chromium.launch(args=FLAGS, executable_path=found_browser())
        context = browser.new_context(base_url=address, viewport=SIZE, locale="en-GB", timezone_id="UTC", reduced_motion="reduce")  # type: ignore[arg-type] # its stub wants its own TypedDict
        page = context.new_page()
        page.goto("/accounts/login/")
        page.locator("[data-test=demo-operator]").click()
        page.wait_for_url(lambda url: "/accounts/login/" not in url)
        for name, theme, path, is_drawn in SHOTS:
            if told(shoot(page, address, name, theme, path, is_drawn)):
                too_large.append(name)
        if told(shoot_wall(browser)):
            too_large.append("wall-dark")
        browser.close()
    if too_large:
        sys.stdout.write(f"Larger than {LARGEST // 1000} kB: {', '.join(too_large)}. Make SIZE smaller.\n")
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
