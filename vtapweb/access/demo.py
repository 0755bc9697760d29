"""Demo sign-in: one click, no password. Offered only to a browser on the same machine, while `manage.py up` runs its own simulator on loopback.

Every condition must hold by itself; a proxy in front makes strangers look local, so any trace of one ends the offer.
"""

import ipaddress

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port

FORWARDING_HEADERS = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_CF_CONNECTING_IP")
FORWARDING_PREFIX = "HTTP_X_FORWARDED"


def is_loopback(address: str) -> bool:
    """Whether this is a loopback address, 127.0.0.0/8 or ::1 (also as ::ffff:127.0.0.1), with or without brackets; a name never is."""
    try:
        ip = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def is_peer_loopback(request: HttpRequest) -> bool:
    return is_loopback(str(request.META.get("REMOTE_ADDR", "")))


def is_host_loopback(request: HttpRequest) -> bool:
    try:
        name, _ = split_domain_port(request.get_host())
    except DisallowedHost:
        return False
    return name == "localhost" or is_loopback(name)


def is_forwarded(request: HttpRequest) -> bool:
    return any(name in FORWARDING_HEADERS or name.startswith(FORWARDING_PREFIX) for name in request.META)


def is_demo_offered(request: HttpRequest) -> bool:
    """Whether this very request may sign in without a password."""
    return bool(settings.IS_DEMO_SIGN_IN_OFFERED) and is_peer_loopback(request) and is_host_loopback(request) and not is_forwarded(request)
