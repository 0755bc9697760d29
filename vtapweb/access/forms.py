"""Forms of the access room: people (for /admin/), tokens, the filter of the audit record."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.forms import UserChangeForm as DjangoUserChangeForm

from vtapweb.access.models import Role, SubscriptionGrant, User

if TYPE_CHECKING:
    CreationForm = AdminUserCreationForm[User]
    ChangeForm = DjangoUserChangeForm[User]
    GrantModelForm = forms.ModelForm[SubscriptionGrant]
else:
    CreationForm, ChangeForm, GrantModelForm = AdminUserCreationForm, DjangoUserChangeForm, forms.ModelForm  # generic in the stubs only


class UserCreateForm(CreationForm):
    class Meta:
        model = User
        fields = ("username", "email", "role", "has_all_subscriptions")


class UserChangeForm(ChangeForm):
    class Meta:
        model = User
        fields = ("username", "password", "email", "role", "has_all_subscriptions", "is_active")

    def clean(self) -> dict[str, Any]:
        """The last admin who can sign in stays one: nobody could mend that from outside."""
        cleaned: dict[str, Any] = super().clean() or {}
        stays = cleaned.get("is_active") and cleaned.get("role") == Role.ADMIN
        others = User.objects.filter(role=Role.ADMIN, is_active=True).exclude(pk=self.instance.pk)
        if "role" in cleaned and not stays and not others.exists():
            raise forms.ValidationError("This is the last admin. Make somebody else an admin first.")
        return cleaned


class GrantForm(GrantModelForm):
    class Meta:
        model = SubscriptionGrant
        fields = ("subscription_id",)

    def clean_subscription_id(self) -> str:
        """Folded before the model's rule sees it: ids are pasted in any case."""
        return str(self.cleaned_data["subscription_id"]).strip().lower()


class TokenForm(forms.Form):
    name = forms.CharField(max_length=150, help_text="Who or what uses it.")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER)
    subscriptions = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Subscription ids, one a line. Empty: all of them.",
        label="Only these subscriptions",
    )

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])

    def clean_subscriptions(self) -> list[str] | None:
        text: str = self.cleaned_data["subscriptions"]
        return text.replace(",", " ").split() or None


class AuditFilterForm(forms.Form):
    actor = forms.CharField(required=False, max_length=200)
    action = forms.CharField(required=False, max_length=100)
    target = forms.CharField(required=False, max_length=500)
    reason = forms.CharField(required=False, max_length=500)
    since = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date", "class": "input"}), label="From")
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date", "class": "input"}), label="To")
