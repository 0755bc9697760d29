"""The app that puts our site into Django's admin."""

from django.contrib.admin.apps import AdminConfig


class AuditedAdminConfig(AdminConfig):
    """Django's admin with our site in it."""

    default_site = "vtapweb.access.admin_site.AuditedAdminSite"
