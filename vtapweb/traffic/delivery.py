"""Sending one message to a webhook or by e-mail. Knows no rows.

Rule 1: only hosts that VTAPWEB_TRAFFIC_WEBHOOK_HOSTS names; an address that is not public only where that list holds its network. Rule 2: the
connection goes to the address that was judged, so a name that resolves to something else a moment later leads nowhere. Rule 3: no redirect is
followed, no answer is kept. Rule 4: the secret of a webhook is made from VTAPWEB_SECRET_KEY and a salt: no database holds it.
"""

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

TIMEOUT_S: Final = 10.0
ATTEMPTS: Final = 8
BACKOFF_S: Final = (10, 30, 60, 300, 900, 1800, 3600)  # after the first, the second … failure
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RefusedError(Exception):
    """Must not be sent there; trying again changes nothing."""


class NotSentError(Exception):
    """It did not arrive; later it may."""


def wait_s(attempts: int) -> int | None:
    """How long to wait after so many failed attempts, None to give up."""
    return None if attempts >= ATTEMPTS else BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1]


def secret_of(salt: str) -> str:
    """The secret that a receiver checks signatures with, 64 hexadecimal characters."""
    return hmac.new(settings.SECRET_KEY.encode(), f"vtapweb.webhook.v1:{salt}".encode(), hashlib.sha256).hexdigest()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What stands in `X-Vtapweb-Signature`: HMAC-SHA256 over the timestamp, a full stop and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _allowed() -> tuple[set[str], list[Network]]:
    """Names (in lower case, perhaps with a port) and networks of the setting."""
    names, networks = set(), []
    for one in settings.TRAFFIC_WEBHOOK_HOSTS:
        try:
            networks.append(ipaddress.ip_network(one, strict=False))
        except ValueError:
            names.add(one.lower())
    return names, networks


def checked_url(url: str) -> SplitResult:
    """The parts of an address that may be sent to. Raises RefusedError with a sentence for people."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise RefusedError("This is no address of a web server.") from error
    names, networks = _allowed()
    if not names and not networks:
        raise RefusedError("No host may be sent to: VTAPWEB_TRAFFIC_WEBHOOK_HOSTS is empty.")
    if not host or parts.username or parts.password or parts.scheme not in {"https", "http"}:
        raise RefusedError("Give an https:// address without user and password.")
    literal = _address(host)
    if literal is None and host not in names and f"{host}:{port}" not in names:
        raise RefusedError(f"{host} is not in VTAPWEB_TRAFFIC_WEBHOOK_HOSTS.")
    if literal is not None and not any(literal in one for one in networks):
        raise RefusedError(f"{host} lies in none of the networks of VTAPWEB_TRAFFIC_WEBHOOK_HOSTS.")
    if parts.scheme == "http" and not (literal is not None and literal.is_loopback):
        raise RefusedError("Plain http is for loopback only. Give an https:// address.")
    return parts


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def reachable_address(host: str, port: int) -> str:
    """The first address of the host, after all of them were judged. Raises RefusedError for one that must not be reached, NotSentError for none."""
    _, networks = _allowed()
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)]
    except OSError as error:
        raise NotSentError(f"{host} has no address: {error}") from error
    for text in found:
        address = ipaddress.ip_address(text.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if not address.is_global and not any(address in one for one in networks):
            raise RefusedError(f"{host} leads to {address}, which is not public and in no network of VTAPWEB_TRAFFIC_WEBHOOK_HOSTS.")
    return found[0]


def webhook_send(url: str, body: dict[str, Any], *, secret: str, timestamp: str) -> None:
    """Posts the signed body. Raises RefusedError, or NotSentError where it did not arrive or was not answered with 2xx."""
    parts = checked_url(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = reachable_address(host, port)
    octets = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "vtapweb",
        "X-Vtapweb-Timestamp": timestamp,
        "X-Vtapweb-Signature": signature(secret, timestamp, octets),
    }
    try:
        client = _connection(parts.scheme, address, port, host)
        try:
            client.request("POST", target, body=octets, headers=headers)
            status = client.getresponse().status
        finally:
            client.close()
    except (OSError, http.client.HTTPException) as error:
        raise NotSentError(f"{host} did not take it: {type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        raise NotSentError(f"{host} answered {status}; redirects are not followed." if 300 <= status < 400 else f"{host} answered {status}.")


def _connection(scheme: str, address: str, port: int, host: str) -> http.client.HTTPConnection:
    """To that very address; the certificate is judged by the name."""
    client = http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)
    client.connect()
    if scheme == "https" and client.sock is not None:
        client.sock = ssl.create_default_context().wrap_socket(client.sock, server_hostname=host)
    return client


def mail_send(subject: str, text: str, to: Iterable[str]) -> None:
    """Raises NotSentError where the mail server did not take it."""
    try:
        EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, list(to)).send()
    except OSError as error:
        raise NotSentError(f"The mail server did not take it: {type(error).__name__}: {error}") from error
