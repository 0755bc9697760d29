"""Sending one message to a webhook or by e-mail. Knows no rows.

Rule 1: only hosts that VTAPWEB_TRAFFIC_WEBHOOK_HOSTS names, as `outward` has it. Rule 2: no redirect is followed, no answer is kept. Rule 3: the
secret of a webhook is made from VTAPWEB_SECRET_KEY and a salt: no database holds it.
"""

import hashlib
import hmac
import http.client
import json
from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage

from vtapweb.traffic.outward import Gate, NotSentError

TIMEOUT_S: Final = 10.0
ATTEMPTS: Final = 8
BACKOFF_S: Final = (10, 30, 60, 300, 900, 1800, 3600)  # after the first, the second … failure


def wait_s(attempts: int) -> int | None:
    """How long to wait after so many failed attempts, None to give up."""
    return None if attempts >= ATTEMPTS else BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1]


def secret_of(salt: str) -> str:
    """The secret that a receiver checks signatures with, 64 hexadecimal characters."""
    return hmac.new(settings.SECRET_KEY.encode(), f"vtapweb.webhook.v1:{salt}".encode(), hashlib.sha256).hexdigest()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What stands in `X-Vtapweb-Signature`: HMAC-SHA256 over the timestamp, a full stop and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def gate() -> Gate:
    """Where alarms may be sent."""
    return Gate.of("VTAPWEB_TRAFFIC_WEBHOOK_HOSTS", settings.TRAFFIC_WEBHOOK_HOSTS)


def webhook_send(url: str, body: dict[str, Any], *, secret: str, timestamp: str) -> None:
    """Posts the signed body. Raises RefusedError, or NotSentError where it did not arrive or was not answered with 2xx."""
    allowed = gate()
    parts = allowed.checked_url(url)
    host = parts.hostname or ""
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
        client = allowed.connection(parts, timeout_s=TIMEOUT_S)
        try:
            client.request("POST", target, body=octets, headers=headers)
            status = client.getresponse().status
        finally:
            client.close()
    except (OSError, http.client.HTTPException) as error:
        raise NotSentError(f"{host} did not take it: {type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        raise NotSentError(f"{host} answered {status}; redirects are not followed." if 300 <= status < 400 else f"{host} answered {status}.")


def mail_send(subject: str, text: str, to: Iterable[str]) -> None:
    """Raises NotSentError where the mail server did not take it."""
    try:
        EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, list(to)).send()
    except OSError as error:
        raise NotSentError(f"The mail server did not take it: {type(error).__name__}: {error}") from error
