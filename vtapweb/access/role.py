"""The three roles. Each may do all that the one before it may."""

from django.db import models


class Role(models.TextChoices):
    VIEWER = "viewer", "viewer"
    OPERATOR = "operator", "operator"
    ADMIN = "admin", "admin"

    def includes(self, other: "Role") -> bool:
        """Whether somebody with this role may do what `other` may."""
        return RANK[self] >= RANK[other]


RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
