"""Who we are to Azure, kept where every page can have it at once: asking may need a token, which a page must not wait for."""

import redis
from django.conf import settings
from django.core.cache import cache

from vtapweb.cloud.types import Identity
from vtapweb.events import outage

KEPT_S = 24 * 3600


def _name() -> str:
    return f"inventory:identity:{settings.CLOUD}:{settings.ARM_ENDPOINT}"


def identity_keep(identity: Identity) -> None:
    """Remembers who a token said we are. No token and no secret is kept. A cache that is away costs a memory, never a sync."""
    try:
        cache.set(_name(), identity, KEPT_S)
    except redis.RedisError as problem:
        outage.redis.failed("inventory.identity_not_kept", problem=str(problem))


def identity_known() -> Identity | None:
    """Who we were when last asked, by a sync or by the page that asks; None when nobody asked yet. Asks nobody."""
    try:
        kept = cache.get(_name())
    except redis.RedisError as problem:
        outage.redis.failed("inventory.identity_not_found", problem=str(problem))
        return None
    return kept if isinstance(kept, Identity) else None


def identity_ask() -> Identity:
    """Who we are now. May take a token from the identity provider. Raises CloudSettingsError or CloudError."""
    from vtapweb.cloud.connect import cloud_from_settings

    cloud = cloud_from_settings(cloud=settings.CLOUD, endpoint=settings.ARM_ENDPOINT, token=settings.ARM_TOKEN)
    try:
        identity = cloud.identity()
    finally:
        cloud.close()
    identity_keep(identity)
    return identity
