"""`bin/pictures`: starts the demo on a free port and a temporary data directory, looks at it in Chromium, and writes docs/pictures/*.png."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import FLAGS, found_browser
from tests.house.processes import Up

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
SIZE = {"width": 1440, "height": 900}
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


def main() -> int:
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
            picture = shoot(page, address, name, theme, path, is_drawn)
            octets = picture.stat().st_size
            sys.stdout.write(f"{picture.relative_to(ROOT)}: {octets / 1000:.0f} kB\n")
            if octets > LARGEST:
                too_large.append(picture.name)
        browser.close()
    if too_large:
        sys.stdout.write(f"Larger than {LARGEST // 1000} kB: {', '.join(too_large)}. Make SIZE smaller.\n")
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main())
