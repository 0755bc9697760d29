"""Text for people: foreign names made safe to look at, numbers and spans in words. Escaping for HTML is the template's business, not ours."""

import unicodedata

# Unicode's direction controls and invisible separators: in a resource name they can only mislead ("TrojanSource", CVE-2021-42574).
_MISLEADING = frozenset(
    "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)


def visible(text: str) -> str:
    """`text` with every control, direction and invisible character shown as ⟨U+XXXX⟩; ordinary text of any script is untouched."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"⟨U+{ord(one):04X}⟩" if one in _MISLEADING or unicodedata.category(one) in ("Cc", "Cs", "Co", "Cn") else one for one in text)


def count(value: int | None) -> str:
    """12345 → "12,345"; None → "unknown" (never 0)."""
    return "unknown" if value is None else f"{value:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """(1, "NIC") → "1 NIC"; (2, "NIC") → "2 NICs"."""
    return f"{number:,} {one if number == 1 else (many or one + 's')}"


def span(seconds: float) -> str:
    """A length of time in its two largest units: 3.2 → "3.2 s", 75 → "1 min 15 s", 7260 → "2 h 1 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, next_size, next_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name}" + (f" {rest} {next_name}" if rest else "")
    return f"{whole} s"
