"""Template filters of the access room."""

import json

from django import template

register = template.Library()


@register.filter
def compact_json(value: object) -> str:
    """A value as JSON on one line, to be escaped by the template like any text."""
    return json.dumps(value, ensure_ascii=False, default=str)
