"""Which URLs may get our token. Pure text work; the one place that decides it."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Characters on which URL readers disagree about where the host ends ("\"), or that no URL holds. What is left reads the same to all.
_AMBIGUOUS = re.compile(r"[^\x21-\x7e]|[\\\"<>^`|]")


class BadUrlError(ValueError):
    """The text is no plain absolute http(s) URL."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL: what must be equal before a token is sent."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}")


def origin_of(url: str) -> Origin:
    """The URL's origin, lower-case, its port filled in. Raises BadUrlError (user names in URLs and ambiguous characters included)."""
    if _AMBIGUOUS.search(url):
        raise BadUrlError("it holds characters that no URL may hold")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrlError("it is no URL") from error
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or "%" in parts.netloc:
        raise BadUrlError("it is no plain http or https URL with a host")
    return Origin(scheme, host.rstrip("."), _DEFAULT_PORTS[scheme] if port is None else port)


def is_at_home(url: str, home: Origin) -> bool:
    """Whether our token may go to `url`: same scheme, host and port. Another spelling of loopback is the same host when home is loopback."""
    try:
        there = origin_of(url)
    except BadUrlError:
        return False
    if home.is_loopback and there.is_loopback:
        return (there.scheme, there.port) == (home.scheme, home.port)
    return there == home


def resolve(link: str, *, base_url: str) -> str:
    """A server's link as an absolute URL; relative ones (which ARM does not send) are taken from the page that holds them."""
    return urljoin(base_url, link.strip())
