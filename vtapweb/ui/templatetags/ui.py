"""Template tags of the shell: the import map."""

import json
from functools import cache

from django import template
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.files.storage import Storage, storages
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# Bare names a module may import from static/vendor/.
VENDOR = {"uplot": "vendor/uplot/uplot.js"}
# A JSON text inside <script> must not be able to end it; the escapes are those of Django's own json_script.
_ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}


@cache
def module_names() -> tuple[str, ...]:
    """Every module under static/js/, as the static-files finders name it ("js/ui/app.js"); looked up once a process."""
    paths = {path.replace("\\", "/") for finder in get_finders() for path, _ in finder.list([])}
    return tuple(sorted(path for path in paths if path.startswith("js/") and path.endswith(".js")))


@cache
def _import_map(storage: Storage, static_url: str) -> str:
    """The map's text, made once a process: its hundred addresses would be a good part of a page's time."""
    imports = {f"{static_url}{name}": storage.url(name) for name in module_names()}
    imports |= {bare: storage.url(name) for bare, name in VENDOR.items()}
    return json.dumps({"imports": imports}, separators=(",", ":")).translate(_ESCAPES)


@register.simple_tag
def import_map() -> SafeString:
    """JSON that sends each module's plain address (what a relative import resolves to) to its hashed one, and bare vendor names to theirs."""
    text = _import_map(storages["staticfiles"], settings.STATIC_URL)
    return mark_safe(text)  # noqa: S308 - our own file names, escaped
