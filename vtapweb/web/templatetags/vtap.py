"""Template tags for what every page shows: instants, foreign text, states, counts."""

import json
from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from vtapweb.web import text

register = template.Library()


@register.simple_tag
def when(at: datetime | None, style: str = "moment") -> SafeString:
    """An instant as <time>: UTC without script; with it in the viewer's zone, UTC in its title.

    `style`: "moment" (date and time), "age" ("42 s ago", kept up to date), "clock" (time alone). None becomes "never".
    """
    if at is None:
        return format_html("{}", "never")
    utc = at.astimezone(UTC)
    words = utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    stamp = utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    return format_html('<time datetime="{}" title="{}" data-time="{}">{}</time>', stamp, words, style, words)


@register.filter
def visible(value: object) -> str:
    """Foreign text with control and direction-changing characters made visible; see `vtapweb.web.text.visible`."""
    return text.visible("" if value is None else str(value))


@register.filter
def count(value: int | None) -> str:
    """12345 → "12,345"; None → "unknown"."""
    return text.count(value)


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon of templates/ui/icons.html; decoration only, words stand beside it."""
    return format_html('<svg class="icon{}" aria-hidden="true"><use href="#i-{}"/></svg>', f" icon--{size}" if size else "", name)


@register.filter
def as_json(value: object) -> str:
    """A value as pretty JSON text, to be escaped by the template like any text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def visible_lines(value: str) -> str:
    """Like `visible`, but line ends and tabs stay: for a block of text."""
    return "\n".join(text.visible(line.replace("\t", "  ")) for line in value.split("\n"))


@register.filter
def brief(value: object) -> str:
    """A field's value in a change: short, None and empty in words."""
    if value is None:
        return "unknown"
    if value in ("", [], {}):
        return "none"
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.visible(words if len(words) <= 300 else f"{words[:300]}… ({len(words):,} characters)")


@register.filter
def kind_word(slug: str) -> str:
    """ "load-balancers" → "load balancer"; the few short forms keep their capitals."""
    special = {"nics": "NIC", "vnets": "VNet", "taps": "TAP", "tap-configurations": "TAP configuration"}
    return special.get(slug, slug.replace("-", " ").removesuffix("s"))


@register.filter
def span(seconds: float | None) -> str:
    """A length of time in words; None becomes "unknown"."""
    return "unknown" if seconds is None else text.span(seconds)


@register.filter
def bytes_text(raw: bytes) -> str:
    """Bytes as they came, as text to look at."""
    return visible_lines(bytes(raw).decode("utf-8", "replace"))
