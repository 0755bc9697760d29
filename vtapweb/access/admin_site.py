"""Django's admin pages, for the role admin alone, behind the one sign-in, with every change in the audit record."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.db.models.base import ModelBase
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from vtapweb.access.actions import audit_record
from vtapweb.access.models import User
from vtapweb.web.problem import ProblemError

SECRET_FIELDS = frozenset({"password", "password1", "password2"})


def plain(value: object) -> object:
    """A form's value as plain JSON."""
    return value if value is None or isinstance(value, bool | int | str) else str(value)


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # generic in the stubs only


class AuditedModelAdmin(ModelAdmin):
    """A ModelAdmin whose additions, changes and removals are audit entries, changes with field: [before, after]."""

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        request._audit_detail = self.changes(form, formsets, is_new=add)  # type: ignore[attr-defined] # from here to log_change below
        return super().construct_change_message(request, form, formsets, add)

    @staticmethod
    def changes(form: Any, formsets: Iterable[Any] | None, *, is_new: bool) -> dict[str, Any]:
        """field: [before, after] of what changed, field: value of all of something new; secrets left out."""
        after = {name: plain(value) for name, value in form.cleaned_data.items() if name not in SECRET_FIELDS}
        changed = [name for name in form.changed_data if name in after]
        detail: dict[str, Any] = after if is_new else {name: [plain(form.initial.get(name)), after[name]] for name in changed}
        for formset in formsets or []:
            gained = [str(one) for one in formset.new_objects] + [str(one) for one, _ in formset.changed_objects]
            lost = [str(one) for one in formset.deleted_objects]
            if gained or lost:
                detail[formset.prefix] = {"added": gained, "removed": lost}
        return detail

    def audit(self, request: HttpRequest, verb: str, thing: Model, message: object) -> None:
        detail = getattr(request, "_audit_detail", None) or {"message": str(message)}
        audit_record(action=f"{self.opts.app_label}.{self.opts.model_name}_{verb}", target=str(thing), detail=detail, request=request)

    def log_addition(self, request: HttpRequest, object: Any, message: Any) -> LogEntry:
        self.audit(request, "created", object, message)
        return super().log_addition(request, object, message)

    def log_change(self, request: HttpRequest, object: Any, message: Any) -> LogEntry:
        self.audit(request, "changed", object, message)
        return super().log_change(request, object, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[LogEntry]:
        for thing in queryset:
            self.audit(request, "removed", thing, "")
        return super().log_deletions(request, queryset)


class AuditedAdminSite(admin.AdminSite):
    """Takes only pages that leave audit entries; those of Django and libraries (groups, social accounts) do not come in."""

    site_header = "vtapweb"
    site_title = "vtapweb"
    index_title = "People and what they may see"
    enable_nav_sidebar = False

    def register(self, model_or_iterable: ModelBase | Iterable[ModelBase], admin_class: type[ModelAdmin] | None = None, **options: Any) -> None:
        if admin_class is not None and issubclass(admin_class, AuditedModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.is_staff

    def login(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002 - Django's signature
        if self.has_permission(request):
            return redirect("admin:index")
        raise ProblemError(403, "For admins only", "These pages need the role admin.")

    def logout(self, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override] # noqa: ARG002 - a redirect, where the stub wants a page
        return redirect("account_logout")

    def password_change(self, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override] # noqa: ARG002 - a redirect, where the stub wants a page
        return redirect("account_change_password")
