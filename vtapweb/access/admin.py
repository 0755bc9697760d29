"""The admin pages of people and their grants."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from vtapweb.access.admin_site import AuditedModelAdmin
from vtapweb.access.forms import GrantForm, UserChangeForm, UserCreateForm
from vtapweb.access.models import SubscriptionGrant, User

if TYPE_CHECKING:
    TabularInline = admin.TabularInline[SubscriptionGrant, User]
    DjangoUserAdmin = UserAdmin[User]
else:
    TabularInline, DjangoUserAdmin = admin.TabularInline, UserAdmin  # generic in the stubs only


class GrantInline(TabularInline):
    model = SubscriptionGrant
    form = GrantForm
    extra = 1
    verbose_name = "subscription"
    verbose_name_plural = "granted subscriptions"


@admin.register(User)
class PersonAdmin(AuditedModelAdmin, DjangoUserAdmin):
    form = UserChangeForm
    add_form = UserCreateForm
    inlines = [GrantInline]
    list_display = ("username", "email", "role", "has_all_subscriptions", "is_active", "last_login")
    list_filter = ("role", "is_active", "has_all_subscriptions")
    search_fields = ("username", "email")
    ordering = ("username",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password", "email")}),
        ("What this person may do and see", {"fields": ("role", "has_all_subscriptions", "is_active")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "role", "has_all_subscriptions", "usable_password", "password1", "password2")}),)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        """People are deactivated: the audit record refers to them."""
        return False
