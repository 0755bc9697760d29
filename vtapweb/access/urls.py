"""URLs of the access room. Only what the product offers: allauth's sign-up, e-mail and reset pages are not here."""

from django.urls import path

from vtapweb.access import views

urlpatterns = [
    path("accounts/login/", views.sign_in, name="account_login"),
    path("accounts/logout/", views.sign_out, name="account_logout"),
    path("accounts/password/change/", views.change_password, name="account_change_password"),
]
