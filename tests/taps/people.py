"""Viewers for the tests of the taps room: a person or a token with a role and a scope."""

from vtapweb.access.models import ApiToken, User
from vtapweb.access.role import Role
from vtapweb.access.selectors import token_digest, viewer_of_token, viewer_of_user
from vtapweb.access.viewer import Viewer


def person(role: Role, *, name: str = "", subscription_ids: tuple[str, ...] = ()) -> User:
    """A person who sees all subscriptions, or those named."""
    user = User.objects.create_user(name or f"{role.value}-ann", role=role, has_all_subscriptions=not subscription_ids)
    for one in subscription_ids:
        user.grants.create(subscription_id=one)
    return user


def viewer(role: Role, **given: object) -> Viewer:
    """The same, as a viewer."""
    found = viewer_of_user(person(role, **given))  # type: ignore[arg-type] # person's own arguments
    assert found is not None
    return found


def token(role: Role, *subscription_ids: str) -> ApiToken:
    """A token for these subscriptions, for all where none is named; its secret is its name."""
    name = f"secret-{role.value}-{'-'.join(subscription_ids)}"
    values = {
        "name": name,
        "prefix": name[:8],
        "role": role,
        "has_all_subscriptions": not subscription_ids,
        "subscription_ids": list(subscription_ids),
    }
    return ApiToken.objects.get_or_create(digest=token_digest(name), defaults=values)[0]


def bearer(role: Role, *subscription_ids: str) -> dict[str, str]:
    """Headers of such a token."""
    return {"Authorization": f"Bearer {token(role, *subscription_ids).name}"}


def token_viewer(role: Role, *subscription_ids: str) -> Viewer:
    """The viewer of such a token."""
    return viewer_of_token(token(role, *subscription_ids))
