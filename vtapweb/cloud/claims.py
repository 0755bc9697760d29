"""Who a token says we are. Read for people to see, never to decide anything: the signature is not checked. Pure."""

import json
from base64 import urlsafe_b64decode
from typing import Any

from vtapweb.cloud.types import Identity


def identity_of(token: str, *, cloud: str, endpoint: str) -> Identity:
    """The identity in a JWT's claims; an opaque token gives one with an empty name."""
    claims = _claims(token)
    names = ("upn", "unique_name", "preferred_username", "email", "app_displayname", "name", "appid", "azp")
    expires = claims.get("exp")
    return Identity(
        cloud=cloud,
        endpoint=endpoint,
        name=next((text for name in names if (text := _text(claims, name))), ""),
        object_id=_text(claims, "oid").lower(),
        tenant_id=_text(claims, "tid").lower(),
        principal_type={"app": "ServicePrincipal", "user": "User"}.get(_text(claims, "idtyp").lower(), ""),
        expires_at_unix_s=float(expires) if isinstance(expires, int | float) and not isinstance(expires, bool) else None,
    )


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
