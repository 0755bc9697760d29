"""Who there is and what was done: users, grants, tokens, audit entries. Rule: an audit entry is written once; the database itself refuses more."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from vtapweb.access.role import Role

__all__ = ["ApiToken", "AuditEntry", "Role", "SubscriptionGrant", "User"]

subscription_id_validator = RegexValidator(
    r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "A subscription id looks like 00000000-0000-0000-0000-000000000000, in lower case."
)


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, email: str = "", password: str | None = None, **fields: Any) -> "User":
        """A saved user with a hashed password (None: one that nobody can sign in with by password)."""
        user = self.model(username=self.model.normalize_username(username), email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str = "", password: str | None = None, **fields: Any) -> "User":
        """A saved user with the role admin, as `manage.py createsuperuser` asks for it."""
        return self.create_user(username, email, password, **{**fields, "role": Role.ADMIN})


class User(AbstractBaseUser):
    """A person. The role alone decides about `/admin/`: no staff or superuser flag is stored that could disagree with it."""

    username = models.CharField(max_length=150, unique=True, validators=[UnicodeUsernameValidator()])
    email = models.EmailField(blank=True, default="")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)
    has_all_subscriptions = models.BooleanField(default=False, help_text="Sees every subscription; otherwise only those granted below.")
    is_active = models.BooleanField(default=True, help_text="People are deactivated, not deleted: the audit record refers to them.")
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["username"]
        constraints = [models.CheckConstraint(name="access_user_role_known", condition=models.Q(role__in=Role.values))]

    def __str__(self) -> str:
        return self.username

    @property
    def is_staff(self) -> bool:
        return self.is_active and self.role == Role.ADMIN

    @property
    def is_superuser(self) -> bool:
        return self.is_staff

    def get_full_name(self) -> str:
        return self.username

    def get_short_name(self) -> str:
        return self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_staff

    def has_perms(self, perm_list: object, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_staff

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002 - Django's signature
        return self.is_staff


class SubscriptionGrant(models.Model):
    """One subscription that one person may see."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    subscription_id = models.CharField(max_length=36, validators=[subscription_id_validator])

    class Meta:
        ordering = ["subscription_id"]
        constraints = [
            models.UniqueConstraint(name="access_grant_once", fields=["user", "subscription_id"]),
            models.CheckConstraint(name="access_grant_lower_case", condition=models.Q(subscription_id=Lower("subscription_id"))),
        ]

    def __str__(self) -> str:
        return self.subscription_id


class ApiToken(models.Model):
    """A bearer token, known by the SHA-256 of its secret (256 random bits, so no salt or slow hash is needed); the secret itself is shown once."""

    name = models.CharField(max_length=150)
    digest = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=16)
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)
    has_all_subscriptions = models.BooleanField(default=True)
    subscription_ids = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [models.CheckConstraint(name="access_token_role_known", condition=models.Q(role__in=Role.values))]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEntry(models.Model):
    """What somebody did, kept for ever: triggers on both databases refuse UPDATE, DELETE and TRUNCATE (migration 0002)."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=200)
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=100, db_index=True)
    target = models.CharField(max_length=500, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    detail = models.JSONField(default=dict, blank=True)
    source_ip = models.GenericIPAddressField(null=True)
    is_demo = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.target}".rstrip()
