"""The shell: theme without a flash, the rail, the import map, the strict policy it must live under."""

import json
import re

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from vtapweb.ui.context import navigation, theme_of
from vtapweb.ui.templatetags.ui import module_names


def shell_page(cookie: str = "", template: str = "ui/base.html") -> str:
    request = RequestFactory().get("/table/nics")
    request.COOKIES["vtap_theme"] = cookie
    return render_to_string(template, {}, request)


@pytest.mark.parametrize(("cookie", "theme"), [("dark", "dark"), ("light", "light"), ("system", "system"), ("", "system"), ('"><script>', "system")])
@pytest.mark.parametrize("template", ["ui/base.html", "ui/bare.html"])
def test_the_first_byte_has_the_chosen_theme(cookie: str, theme: str, template: str) -> None:
    assert f'<html lang="en" data-theme="{theme}">' in shell_page(cookie, template)


def test_unknown_theme_counts_as_no_choice() -> None:
    request = RequestFactory().get("/")
    request.COOKIES["vtap_theme"] = "neon"
    assert theme_of(request) == "system"


def test_the_rail_marks_where_one_is_and_hides_what_only_admins_may() -> None:
    assert [item.label for item in navigation("/nics/abc", is_admin=False) if item.is_current] == ["Tables"]
    assert [item.label for item in navigation("/", is_admin=False) if item.is_current] == ["Map"]
    labels = [item.label for item in navigation("/", is_admin=True)]
    assert labels == [
        "Map",
        "Tables",
        "Collectors",
        "Alarms",
        "Coverage",
        "Changes",
        "Ledger",
        "Walls",
        "Changes feed",
        "Syncs",
        "Connect",
        "Settings",
        "Audit",
    ]
    assert "Audit" not in [item.label for item in navigation("/", is_admin=False)]


def test_no_inline_style_script_or_handler() -> None:
    page = shell_page()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", page)
    assert inline, "the import map is inline"
    assert all('type="importmap"' in attributes and "nonce=" in attributes for attributes in inline)


def test_htmx_may_not_evaluate_or_add_styles() -> None:
    found = re.search(r"name=\"htmx-config\" content='([^']+)'", shell_page())
    assert found
    config = json.loads(found[1])
    assert config["allowEval"] is False
    assert config["includeIndicatorStyles"] is False
    assert config["selfRequestsOnly"] is True


def test_import_map_names_every_module() -> None:
    found = re.search(r'<script type="importmap"[^>]*>(.*?)</script>', shell_page(), re.DOTALL)
    assert found
    imports = json.loads(found[1])["imports"]
    assert {"js/ui/app.js", "js/ui/time.js"} <= set(module_names())
    assert set(imports) == {f"/static/{name}" for name in module_names()} | {"uplot"}


def test_demo_is_said_whenever_the_data_is_simulated(settings: Settings) -> None:
    settings.CLOUD = "simulator"
    assert ">DEMO<" in shell_page()
    settings.CLOUD = "public"
    assert ">DEMO<" not in shell_page()
