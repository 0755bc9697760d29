"""URLs of the access room. Only what the product offers: allauth's sign-up, e-mail and reset pages are not here."""

from django.urls import include, path

from vtapweb.access import views

urlpatterns = [
    path("accounts/login/", views.sign_in, name="account_login"),
    path("accounts/demo/", views.demo_sign_in, name="access_demo_sign_in"),
    path("accounts/inactive/", views.inactive, name="account_inactive"),
    path("accounts/not-signed-in/", views.not_signed_in, name="socialaccount_login_cancelled"),
    path("accounts/not-signed-in/", views.not_signed_in, name="socialaccount_signup"),
    path("accounts/", include("allauth.socialaccount.providers.openid_connect.urls")),  # /accounts/oidc/<provider id>/login/
    path("accounts/logout/", views.sign_out, name="account_logout"),
    path("accounts/password/change/", views.change_password, name="account_change_password"),
    path("tokens", views.tokens, name="access_tokens"),
    path("tokens/<int:pk>/revoke", views.token_end, name="access_token_revoke"),
    path("audit", views.audit, name="access_audit"),
    path("audit.csv", views.audit_csv, name="access_audit_csv"),
    path("audit.json", views.audit_json, name="access_audit_json"),
]
