"""Pages of a list with ARM's nextLink: an opaque absolute URL on the host the caller asked, whose page may be empty.

Two empty pages are played, as Azure does: a network list whose last page is exactly full only finds out on the next one, and the lists of
virtual machines hand out an empty page behind the first. A token names the last item that was sent, so items added or removed between two
pages neither repeat nor hide others.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import orjson

from vtapweb.simulator import errors
from vtapweb.simulator.documents import Json, Kind
from vtapweb.simulator.estate import Document, Listing

SAFE = "/%:@!$&'()*+,;=~"  # a path may be percent-encoded already
TOKEN = "$skiptoken"  # noqa: S105 (a query parameter's name)


@dataclass(slots=True)
class Pages:
    """Builds pages and keeps the built ones as bytes until their list changes. `size` is the most items a page holds."""

    size: int = 1_000
    _built: dict[tuple[str, Kind, str], tuple[Listing, dict[str, bytes]]] = field(default_factory=dict)

    def of_listing(
        self,
        listing: Listing,
        base_url: str,
        path: str,
        query: Mapping[str, str],
        *,
        place: tuple[str, Kind, str] | None,
        body_of: Callable[[Document], bytes],
    ) -> bytes:
        """One page of `listing`. `place` names the list for the cache (subscription, kind, variant), None for a list that is not kept."""
        address = f"{base_url}{path}?{sorted(query.items())}"
        built: dict[str, bytes] = {}
        if place is not None:
            held, built = self._built.get(place, (None, {}))
            if held is not listing:
                built = {}
                self._built[place] = (listing, built)
        if address not in built:
            built[address] = self._build(listing, base_url, path, query, body_of)
        return built[address]

    def _build(self, listing: Listing, base_url: str, path: str, query: Mapping[str, str], body_of: Callable[[Document], bytes]) -> bytes:
        size, (stage, after) = page_size(query, self.size), read_token(query)
        is_compute = bool(listing.documents) and listing.documents[0].kind is Kind.VIRTUAL_MACHINES
        if stage == "pause":
            return _page([], next_link(base_url, path, query, "page", after))
        documents = listing.after(after, size)
        if not documents:
            return _page([], "")
        last = documents[-1].ordinal
        has_more = last != listing.ordinals[-1]
        is_first = after == 0
        link = ""
        if has_more or (len(documents) == size and not is_compute):
            link = next_link(base_url, path, query, "pause" if is_compute and is_first else "page", last)
        return _page([body_of(document) for document in documents], link)

    def of_values(self, values: Sequence[Json], base_url: str, path: str, query: Mapping[str, str]) -> bytes:
        """One page of a short list that is made anew for each request."""
        size, (_, after) = page_size(query, self.size), read_token(query)
        shown = values[after : after + size]
        link = next_link(base_url, path, query, "page", after + size) if after + size < len(values) else ""
        return _page([orjson.dumps(value) for value in shown], link)


def _page(bodies: Sequence[bytes], link: str) -> bytes:
    tail = b',"nextLink":' + orjson.dumps(link) if link else b""
    return b'{"value":[' + b",".join(bodies) + b"]" + tail + b"}"


def page_size(query: Mapping[str, str], largest: int) -> int:
    """`$top`, where it is asked for and smaller than a page."""
    asked = query.get("$top", "")
    return min(int(asked), largest) if asked.isdecimal() and len(asked) < 10 and int(asked) > 0 else largest


def read_token(query: Mapping[str, str]) -> tuple[str, int]:
    """Stage and last ordinal of a skip token; ("page", 0) without one. Raises ArmError for a token that is none of ours."""
    text = query.get(TOKEN)
    if text is None:
        return "page", 0
    try:
        stage, _, ordinal = urlsafe_b64decode(text.encode()).decode().partition(":")
        return stage, int(ordinal)
    except ValueError as error:
        raise errors.invalid_skip_token() from error


def next_link(base_url: str, path: str, query: Mapping[str, str], stage: str, ordinal: int) -> str:
    token = urlsafe_b64encode(f"{stage}:{ordinal}".encode()).decode()
    parts = {name: value for name, value in query.items() if name != TOKEN} | {TOKEN: token}
    return f"{base_url}{quote(path, safe=SAFE)}?{urlencode(parts, safe='$')}"
