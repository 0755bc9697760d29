"""The map's own page: what its modules look for is there, and nothing that the content security policy forbids."""

import re
from pathlib import Path

from django.template.loader import render_to_string
from django.utils.html import escape

from vtapweb.inventory.partners import partners

MODULE = Path(__file__).parents[2] / "static" / "js" / "topology" / "map.js"


def rendered(**context: object) -> str:
    shell = {"theme": "dark", "nav": [], "is_demo": True, "inventory": None}
    return render_to_string("topology/map.html", {"shell": shell, "CSP_NONCE": "n", "csrf_token": "t", **context})


def test_the_page_holds_every_part_that_the_module_looks_for() -> None:
    html = rendered()
    wanted = set(re.findall(r'part\("([\w-]+)"', MODULE.read_text(encoding="utf-8")))
    assert len(wanted) > 5
    assert {part for part in wanted if f'id="{part}"' not in html} == set()


def test_nothing_is_inline() -> None:
    html = rendered()
    assert re.findall(r"\sstyle=|\son\w+=|<style|javascript:", html) == []
    assert [tag for tag in re.findall(r"<script[^>]*>", html) if "src=" not in tag and "nonce=" not in tag] == []


def test_the_side_panel_is_empty_until_a_node_is_opened() -> None:
    assert re.search(r'<aside class="panel" id="panel"[^>]*></aside>', rendered())


def test_partner_solutions_are_named_where_there_is_no_collector() -> None:
    html = rendered(map={"crumb": "Contoso", "partners": partners()})
    for partner in partners():
        assert escape(partner.name) in html
        assert partner.documentation_url is None or escape(partner.documentation_url) in html
