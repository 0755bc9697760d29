"""Records which of the project's templates this run rendered: Django's test instrumentation tells of each, included and extended ones too."""

from pathlib import Path
from typing import Any

from django.test.signals import template_rendered

ROOT = Path(__file__).resolve().parent.parent / "templates"
_rendered: set[str] = set()


def _note(*, template: Any, **_: object) -> None:
    if template.name:
        _rendered.add(template.name)


def start_recording() -> None:
    template_rendered.connect(_note, dispatch_uid="tests.rendered_templates")


def never_rendered() -> list[str]:
    """The pages and parts that nothing rendered so far, by their names."""
    return sorted(name for name in (str(path.relative_to(ROOT)) for path in ROOT.rglob("*.html")) if name not in _rendered)
