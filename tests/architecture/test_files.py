"""Laws about the files of the checkout: templates, documents, and what must never be written into one."""

import json
import re

from tests.architecture.source import PACKAGE, ROOT, committed_files, where

TEMPLATES = [path for path in committed_files() if path.suffix == ".html"]
INLINE = {
    "an inline event handler": re.compile(r"<[a-zA-Z][^>]*\son[a-z]+\s*=", re.DOTALL),
    "an inline style": re.compile(r"<[a-zA-Z][^>]*\sstyle\s*=|<style\b", re.DOTALL),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "an inline script": re.compile(r"<script\b(?![^>]*\bsrc\s*=)(?![^>]*type=\"(?:importmap|application/json)\")[^>]*>", re.DOTALL),
}
# In pieces, so that this file does not hold what it looks for.
NEVER_COMMITTED = {
    "a package registry's host": re.compile("|".join(("pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.org", "deb\\." + r"debian\.org"))),
    "a path of one machine": re.compile(r"(?<![\w.])/(?:" + "tmp|wo" + r"rk|root|home)/\w"),
}


def test_templates_hold_no_inline_script_handler_or_style() -> None:
    found = []
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8")
        for what, pattern in INLINE.items():
            found += [f"{where(path, text.count(chr(10), 0, match.start()) + 1)}: {what}" for match in pattern.finditer(text)]
    assert found == []


def test_no_committed_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in committed_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for what, pattern in NEVER_COMMITTED.items():
            found += [f"{where(path, text.count(chr(10), 0, match.start()) + 1)}: {what}" for match in pattern.finditer(text)]
    assert found == []


def test_the_product_reads_nothing_beside_its_checkout() -> None:
    beside = re.compile(r"\.\./" + "shared|[\"']shared[\"']")
    files = [path for path in committed_files() if path.is_relative_to(PACKAGE) or path.is_relative_to(ROOT / "bin")]
    assert [str(path.relative_to(ROOT)) for path in files if path.suffix in {".py", ".html", ""} and beside.search(path.read_text("utf-8"))] == []


def test_the_front_end_lock_names_no_host_to_download_from() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    assert "omit-lockfile-registry-resolved=true" in (ROOT / ".npmrc").read_text(encoding="utf-8")


def test_nothing_third_party_is_committed() -> None:
    assert [str(path.relative_to(ROOT)) for path in committed_files() if path.name.endswith((".min.js", ".min.css", ".woff2"))] == []
