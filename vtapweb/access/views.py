"""Pages of the access room: sign in, sign out, change the password. allauth does the work, with our templates."""

from allauth.account.views import LoginView, LogoutView, PasswordChangeView
from django.urls import reverse_lazy


class SignIn(LoginView):
    template_name = "access/login.html"


class SignOut(LogoutView):
    template_name = "access/logout.html"


class ChangePassword(PasswordChangeView):
    template_name = "access/password_change.html"
    success_url = reverse_lazy("account_change_password")


sign_in = SignIn.as_view()
sign_out = SignOut.as_view()
change_password = ChangePassword.as_view()
