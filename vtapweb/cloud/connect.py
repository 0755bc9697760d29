"""From plain settings to a Cloud, or one sentence that says which setting is wrong. Nothing is imported from the SDK and nothing is asked here."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vtapweb.cloud.origin import BadUrlError, origin_of
from vtapweb.cloud.retry import RetryPolicy
from vtapweb.cloud.sdk import AzureCloud

# (ARM endpoint, token scope, sign-in authority). The same as azure-core's AzureClouds and azure-identity's AzureAuthorityHosts (a test compares);
# written here so that settings can be checked without importing the SDK. The US Government's scope host differs from its endpoint.
AZURE_CLOUDS: dict[str, tuple[str, str, str]] = {
    "public": ("https://management.azure.com", "https://management.azure.com/.default", "login.microsoftonline.com"),
    "usgov": ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/.default", "login.microsoftonline.us"),
    "china": ("https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default", "login.chinacloudapi.cn"),
}


class CloudSettingsError(ValueError):
    """A setting does not fit; the message says which one and what to write instead."""


def cloud_from_settings(
    *,
    cloud: str,
    endpoint: str = "",
    token: str = "",
    environ: Mapping[str, str] = os.environ,
    transport: Any = None,
    retry: RetryPolicy | None = None,
    sleep: Callable[[float], None] | None = None,
) -> AzureCloud:
    """The Cloud that VTAPWEB_CLOUD, VTAPWEB_ARM_ENDPOINT and VTAPWEB_ARM_TOKEN name. Raises CloudSettingsError.

    Of `environ` SSL_CERT_FILE is read here; HTTPS_PROXY and NO_PROXY are honoured by the transport (never for a loopback endpoint) and AZURE_* by
    azure-identity. No request is made. `transport`, `retry` and `sleep` are for tests.
    """
    name = cloud.strip().lower()
    if not name:
        raise CloudSettingsError("VTAPWEB_CLOUD is not set. Say public, usgov, china, or custom together with VTAPWEB_ARM_ENDPOINT.")
    authority = AZURE_CLOUDS["public"][2]
    if name in AZURE_CLOUDS:
        if token:
            raise CloudSettingsError(f"VTAPWEB_ARM_TOKEN is for VTAPWEB_CLOUD=custom only; {name} signs in with azure-identity's AZURE_* variables.")
        if endpoint:
            raise CloudSettingsError(f"VTAPWEB_ARM_ENDPOINT is for VTAPWEB_CLOUD=custom only; {name} has its own endpoint.")
        address, scope, authority = AZURE_CLOUDS[name]
    elif name in {"custom", "simulator"}:
        address = _checked_endpoint(name, endpoint)
        scope = f"{address}/.default"
    else:
        raise CloudSettingsError(f"VTAPWEB_CLOUD is {cloud!r}. Say public, usgov, china or custom.")
    if name == "simulator":
        token = token or "simulator"
    if not token.isascii() or any(sign.isspace() for sign in token.strip()):
        raise CloudSettingsError("VTAPWEB_ARM_TOKEN holds spaces or signs that no token has.")
    ca_file = environ.get("SSL_CERT_FILE", "").strip()
    if ca_file and not Path(ca_file).exists():
        raise CloudSettingsError(f"SSL_CERT_FILE names {ca_file}, which does not exist.")
    how: dict[str, Any] = {"sleep": sleep} if sleep else {}
    return AzureCloud(
        cloud=name,
        endpoint=address,
        scope=scope,
        make_credential=_credential_maker(token.strip(), authority, ca_file),
        ca_file=ca_file,
        transport=transport,
        retry=retry,
        **how,
    )


def _checked_endpoint(name: str, endpoint: str) -> str:
    address = endpoint.strip().rstrip("/")
    if not address:
        raise CloudSettingsError(f"VTAPWEB_CLOUD={name} needs VTAPWEB_ARM_ENDPOINT, for example https://arm.example.com.")
    try:
        origin = origin_of(address)
    except BadUrlError as error:
        raise CloudSettingsError(f"VTAPWEB_ARM_ENDPOINT does not fit: {error}.") from error
    if "?" in address or "#" in address:
        raise CloudSettingsError("VTAPWEB_ARM_ENDPOINT must not hold a query or a fragment.")
    if name == "simulator" and not origin.is_loopback:
        raise CloudSettingsError(f"The simulator runs on this machine only; {origin} is not loopback. Use VTAPWEB_CLOUD=custom for another server.")
    if origin.scheme == "http" and not origin.is_loopback:
        raise CloudSettingsError(f"{origin} would carry the token in the clear. Use https; plain http is for loopback only.")
    return address


def _credential_maker(token: str, authority: str, ca_file: str) -> Callable[[], Any]:
    def make() -> Any:
        from vtapweb.cloud.pipeline import DefaultCredential, StaticToken

        return StaticToken(token) if token else DefaultCredential(authority=authority, ca_file=ca_file)

    return make
