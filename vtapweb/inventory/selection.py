"""Selections: some resources, named by their keys in a page's address. A short one stands there itself, a long one is kept and named `@…`."""

import re
import secrets
from collections.abc import Sequence

from django.core.cache import cache

from vtapweb.web.problem import ProblemError

_NAME = re.compile(r"@[A-Za-z0-9_-]{12}")
_KEY = re.compile(r"[a-z2-7]{26}")
IN_ADDRESS_MAX = 40  # keys; 26 characters each leave an address that mail and chat do not break
KEPT_S = 7 * 24 * 3600


def selection_keep(keys: Sequence[str]) -> str:
    """The text for `select=`: the keys themselves, or "@" and the name under which they are kept for a week."""
    if len(keys) <= IN_ADDRESS_MAX:
        return ",".join(keys)
    name = secrets.token_urlsafe(9)
    cache.set(f"inventory:selection:{name}", list(keys), KEPT_S)
    return f"@{name}"


def selection_keys(select: str) -> list[str] | None:
    """The keys that `select=` names, in their order; None when a kept selection is gone. What is no key is left out."""
    if select.startswith("@"):
        kept = cache.get(f"inventory:selection:{select[1:]}") if _NAME.fullmatch(select) else None
        return kept if isinstance(kept, list) else None
    return [key for key in select.split(",") if _KEY.fullmatch(key)]


def selection_gone() -> ProblemError:
    """The answer where a kept selection is no longer there."""
    return ProblemError(404, "This selection is gone", "Selections of more than 40 resources are kept for a week. Paste the list again on Find.")
