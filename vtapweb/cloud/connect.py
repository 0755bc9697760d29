"""From plain settings to a Cloud, or one sentence that says which setting is wrong. Nothing is imported from the SDK and nothing is asked here."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vtapweb.cloud import metrics
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


@dataclass(frozen=True, slots=True)
class WriteSignIn:
    """Who writes, where it is not who reads: a static token (custom clouds), or an app registration with a secret or a certificate file."""

    token: str = field(default="", repr=False)
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    certificate_path: str = ""

    @property
    def is_set(self) -> bool:
        """Whether anything of it is set."""
        return any((self.token, self.tenant_id, self.client_id, self.client_secret, self.certificate_path))

    @property
    def is_application(self) -> bool:
        """Whether it is an app registration, not a token."""
        return any((self.tenant_id, self.client_id, self.client_secret, self.certificate_path))


def cloud_from_settings(
    *,
    cloud: str,
    endpoint: str = "",
    token: str = "",
    metrics_endpoint: str = "",
    environ: Mapping[str, str] = os.environ,
    transport: Any = None,
    retry: RetryPolicy | None = None,
    sleep: Callable[[float], None] | None = None,
) -> AzureCloud:
    """The Cloud that VTAPWEB_CLOUD, VTAPWEB_ARM_ENDPOINT, VTAPWEB_ARM_TOKEN and VTAPWEB_METRICS_ENDPOINT name. Raises CloudSettingsError.

    Of `environ` SSL_CERT_FILE is read here; HTTPS_PROXY and NO_PROXY are honoured by the transport (never for a loopback endpoint) and AZURE_* by
    azure-identity. No request is made. `transport`, `retry` and `sleep` are for tests.
    """
    place = _place_of(cloud, endpoint, token, metrics_endpoint, environ)
    return _connected(place, _credential_maker(place), transport, retry, sleep)


def cloud_for_writes(
    *,
    cloud: str,
    endpoint: str = "",
    token: str = "",
    metrics_endpoint: str = "",
    sign_in: WriteSignIn,
    environ: Mapping[str, str] = os.environ,
    transport: Any = None,
    retry: RetryPolicy | None = None,
    sleep: Callable[[float], None] | None = None,
) -> AzureCloud:
    """The same Cloud, signed in as who may write: the VTAPWEB_WRITE_… settings where there are any, else who reads. Raises CloudSettingsError."""
    place = _place_of(cloud, endpoint, sign_in.token or token, metrics_endpoint, environ)
    if not sign_in.is_application:
        return _connected(place, _credential_maker(place), transport, retry, sleep)
    _check_application(sign_in)

    def make() -> Any:
        from vtapweb.cloud.pipeline import ApplicationCredential

        return ApplicationCredential(
            tenant_id=sign_in.tenant_id,
            client_id=sign_in.client_id,
            client_secret=sign_in.client_secret,
            certificate_path=sign_in.certificate_path,
            authority=place.authority,
            ca_file=place.ca_file,
        )

    return _connected(place, make, transport, retry, sleep)


def _check_application(sign_in: WriteSignIn) -> None:
    if sign_in.token:
        raise CloudSettingsError("VTAPWEB_WRITE_TOKEN and VTAPWEB_WRITE_CLIENT_… are two ways to sign in. Leave one of them out.")
    lacking = [name for name, value in (("TENANT_ID", sign_in.tenant_id), ("CLIENT_ID", sign_in.client_id)) if not value]
    if lacking:
        raise CloudSettingsError(f"The identity for writes is not complete: VTAPWEB_WRITE_{lacking[0]} is missing.")
    if bool(sign_in.client_secret) == bool(sign_in.certificate_path):
        what = "either VTAPWEB_WRITE_CLIENT_SECRET or VTAPWEB_WRITE_CLIENT_CERTIFICATE_PATH"
        raise CloudSettingsError(f"The identity for writes needs {what}.")
    if sign_in.certificate_path and not Path(sign_in.certificate_path).is_file():
        raise CloudSettingsError(f"VTAPWEB_WRITE_CLIENT_CERTIFICATE_PATH names {sign_in.certificate_path}, which does not exist.")


@dataclass(frozen=True, slots=True)
class _Place:
    """Which Azure it is, checked."""

    cloud: str
    endpoint: str
    scope: str
    authority: str
    token: str = field(repr=False)
    ca_file: str
    metrics: metrics.Place | None


def _place_of(cloud: str, endpoint: str, token: str, metrics_endpoint: str, environ: Mapping[str, str]) -> _Place:
    name = cloud.strip().lower()
    if not name:
        raise CloudSettingsError("VTAPWEB_CLOUD is not set. Say public, usgov, china, or custom together with VTAPWEB_ARM_ENDPOINT.")
    authority = AZURE_CLOUDS["public"][2]
    if name in AZURE_CLOUDS:
        if token:
            raise CloudSettingsError(
                f"VTAPWEB_ARM_TOKEN and VTAPWEB_WRITE_TOKEN are for VTAPWEB_CLOUD=custom only; {name} signs in with azure-identity's AZURE_* "
                "variables, and for writes with VTAPWEB_WRITE_CLIENT_ID."
            )
        for setting, value in (("VTAPWEB_ARM_ENDPOINT", endpoint), ("VTAPWEB_METRICS_ENDPOINT", metrics_endpoint)):
            if value:
                raise CloudSettingsError(f"{setting} is for VTAPWEB_CLOUD=custom only; {name} has its own endpoint.")
        address, scope, authority = AZURE_CLOUDS[name]
        metrics_place = metrics.PLACES.get(name)
    elif name in {"custom", "simulator"}:
        address = _checked_endpoint(name, endpoint)
        scope = f"{address}/.default"
        metrics_place = metrics.Place(address, scope) if name == "simulator" else _metrics_place(metrics_endpoint)
    else:
        raise CloudSettingsError(f"VTAPWEB_CLOUD is {cloud!r}. Say public, usgov, china or custom.")
    if name == "simulator":
        token = token or "simulator"
    if not token.isascii() or any(sign.isspace() for sign in token.strip()):
        raise CloudSettingsError("VTAPWEB_ARM_TOKEN or VTAPWEB_WRITE_TOKEN holds spaces or signs that no token has.")
    ca_file = environ.get("SSL_CERT_FILE", "").strip()
    if ca_file and not Path(ca_file).exists():
        raise CloudSettingsError(f"SSL_CERT_FILE names {ca_file}, which does not exist.")
    return _Place(name, address, scope, authority, token.strip(), ca_file, metrics_place)


def _metrics_place(endpoint: str) -> metrics.Place | None:
    """Where a custom cloud's metrics are, None where nobody says; {region} in it stands for the resources' region."""
    address = endpoint.strip().rstrip("/")
    if not address:
        return None
    _checked_address("VTAPWEB_METRICS_ENDPOINT", address.replace("{region}", "region"))
    return metrics.Place(address, f"{address.replace('{region}.', '').replace('{region}', '')}/.default")


def _connected(
    place: _Place, make_credential: Callable[[], Any], transport: Any, retry: RetryPolicy | None, sleep: Callable[[float], None] | None
) -> AzureCloud:
    how: dict[str, Any] = {"sleep": sleep} if sleep else {}
    return AzureCloud(
        cloud=place.cloud,
        endpoint=place.endpoint,
        scope=place.scope,
        make_credential=make_credential,
        ca_file=place.ca_file,
        metrics_place=place.metrics,
        transport=transport,
        retry=retry,
        **how,
    )


def _checked_endpoint(name: str, endpoint: str) -> str:
    address = endpoint.strip().rstrip("/")
    if not address:
        raise CloudSettingsError(f"VTAPWEB_CLOUD={name} needs VTAPWEB_ARM_ENDPOINT, for example https://arm.example.com.")
    checked = _checked_address("VTAPWEB_ARM_ENDPOINT", address)
    if name == "simulator" and not origin_of(checked).is_loopback:
        raise CloudSettingsError(
            f"The simulator runs on this machine only; {origin_of(checked)} is not loopback. Use VTAPWEB_CLOUD=custom for another server."
        )
    return checked


def _checked_address(setting: str, address: str) -> str:
    """The address, when a token may go there. Raises CloudSettingsError."""
    try:
        origin = origin_of(address)
    except BadUrlError as error:
        raise CloudSettingsError(f"{setting} does not fit: {error}.") from error
    if "?" in address or "#" in address:
        raise CloudSettingsError(f"{setting} must not hold a query or a fragment.")
    if origin.scheme == "http" and not origin.is_loopback:
        raise CloudSettingsError(f"{origin} would carry the token in the clear. Use https; plain http is for loopback only.")
    return address


def _credential_maker(place: _Place) -> Callable[[], Any]:
    def make() -> Any:
        from vtapweb.cloud.pipeline import DefaultCredential, StaticToken

        return StaticToken(place.token) if place.token else DefaultCredential(authority=place.authority, ca_file=place.ca_file)

    return make
