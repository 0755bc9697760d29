"""Tokens for the tests of the map: everything, or some subscriptions."""

from vtapweb.access.models import ApiToken
from vtapweb.access.role import Role
from vtapweb.access.selectors import token_digest


def bearer(*subscription_ids: str, role: Role = Role.VIEWER, name: str = "test") -> dict[str, str]:
    """Headers of a token for these subscriptions, for all of them where none is named."""
    secret = f"secret-{name}-{'-'.join(subscription_ids)}-{role.value}"
    ApiToken.objects.get_or_create(
        digest=token_digest(secret),
        defaults={
            "name": name,
            "prefix": secret[:8],
            "role": role,
            "has_all_subscriptions": not subscription_ids,
            "subscription_ids": list(subscription_ids),
        },
    )
    return {"Authorization": f"Bearer {secret}"}
