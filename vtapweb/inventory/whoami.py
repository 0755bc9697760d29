"""Who we are to Azure, kept where every page can have it at once: asking may need a token, which a page must not wait for."""

from django.conf import settings
from django.core.cache import cache

from vtapweb.cloud.types import Identity

KEPT_S = 24 * 3600


def _name() -> str:
    return f"inventory:identity:{settings.CLOUD}:{settings.ARM_ENDPOINT}"


def identity_keep(identity: Identity) -> None:
    """Remembers who a token said we are. No token and no secret is kept."""
    cache.set(_name(), identity, KEPT_S)


def identity_known() -> Identity | None:
    """Who we were when last asked, by a sync or by the page that asks; None when nobody asked yet. Asks nobody."""
    kept = cache.get(_name())
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
