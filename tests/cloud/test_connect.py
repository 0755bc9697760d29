"""Settings become a Cloud or one clear sentence; no setting leaks."""

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints

from vtapweb.cloud.connect import AZURE_CLOUDS, CloudSettingsError, cloud_from_settings
from vtapweb.cloud.port import CloudError, Failure
from vtapweb.cloud.types import Identity

TOKEN = "s3cr3t-static-token-of-our-own"


def jwt(claims: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "RS256"}, claims)]
    return ".".join([*parts, "signature"])


@pytest.mark.parametrize(
    ("name", "known", "authority"),
    [
        ("public", AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
        ("usgov", AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
        ("china", AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
    ],
)
def test_our_table_of_clouds_is_the_sdks(name: str, known: AzureClouds, authority: str) -> None:
    endpoints = get_arm_endpoints(known)
    assert AZURE_CLOUDS[name] == (endpoints["resource_manager"].rstrip("/"), endpoints["credential_scopes"][0], authority)
    assert name in repr(cloud_from_settings(cloud=name))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"cloud": ""}, "VTAPWEB_CLOUD is not set"),
        ({"cloud": "azure"}, "VTAPWEB_CLOUD is 'azure'"),
        ({"cloud": "public", "token": TOKEN}, "VTAPWEB_ARM_TOKEN is for VTAPWEB_CLOUD=custom only"),
        ({"cloud": "usgov", "endpoint": "https://x.example"}, "VTAPWEB_ARM_ENDPOINT is for VTAPWEB_CLOUD=custom only"),
        ({"cloud": "custom"}, "needs VTAPWEB_ARM_ENDPOINT"),
        ({"cloud": "simulator"}, "needs VTAPWEB_ARM_ENDPOINT"),
        ({"cloud": "custom", "endpoint": "http://arm.example.com", "token": TOKEN}, "in the clear"),
        ({"cloud": "custom", "endpoint": "http://10.0.0.1:80", "token": TOKEN}, "in the clear"),
        ({"cloud": "simulator", "endpoint": "https://arm.example.com"}, "not loopback"),
        ({"cloud": "custom", "endpoint": "arm.example.com", "token": TOKEN}, "does not fit"),
        ({"cloud": "custom", "endpoint": "https://user:pass@arm.example.com", "token": TOKEN}, "does not fit"),
        ({"cloud": "custom", "endpoint": "https://arm.example.com?x=1", "token": TOKEN}, "query"),
        ({"cloud": "public", "environ": {"SSL_CERT_FILE": "/nowhere/ca.pem"}}, "SSL_CERT_FILE names /nowhere/ca.pem, which does not exist"),
        ({"cloud": "custom", "endpoint": "https://arm.example.com", "token": "two words"}, "spaces"),
        ({"cloud": "custom", "endpoint": "https://arm.example.com", "token": "line\nbreak"}, "spaces"),
    ],
)
def test_a_wrong_setting_is_one_sentence_without_secrets(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CloudSettingsError, match=sentence) as caught:
        cloud_from_settings(**settings)
    for secret in (TOKEN, "pass", "two words"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8123", "http://localhost:8123/", "http://[::1]:8123", "https://arm.example.com/prefix"])
def test_custom_servers(endpoint: str) -> None:
    cloud = cloud_from_settings(cloud="custom", endpoint=endpoint, token=TOKEN)
    assert cloud.identity() == Identity(cloud="custom", endpoint=endpoint.rstrip("/"))
    assert TOKEN not in repr(cloud)
    assert TOKEN not in repr(cloud.identity())


def test_the_simulator_needs_no_token() -> None:
    assert cloud_from_settings(cloud="simulator", endpoint="http://127.0.0.1:8123").identity().cloud == "simulator"


@pytest.mark.parametrize(
    ("claims", "name", "kind"),
    [
        ({"oid": "AA", "tid": "BB", "exp": 1_700_000_000, "appid": "cc", "idtyp": "app"}, "cc", "ServicePrincipal"),
        (
            {"oid": "AA", "tid": "BB", "exp": 1_700_000_000, "upn": "ada@contoso.example", "appid": "cc", "idtyp": "user"},
            "ada@contoso.example",
            "User",
        ),
        ({"oid": "AA", "tid": "BB", "exp": 1_700_000_000, "name": "Ada", "idtyp": 3}, "Ada", ""),
    ],
)
def test_who_a_token_says_we_are(claims: dict[str, Any], name: str, kind: str) -> None:
    found = cloud_from_settings(cloud="custom", endpoint="https://arm.example.com", token=jwt(claims)).identity()
    assert (found.object_id, found.tenant_id, found.expires_at_unix_s) == ("aa", "bb", 1_700_000_000.0)
    assert (found.name, found.principal_type) == (name, kind)


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a..c", "a.W10.c", "ä".encode().hex() + ".e30.x", "..", "a.eyJleHAiOnRydWV9.c"])
def test_a_token_that_tells_nothing(token: str) -> None:
    found = cloud_from_settings(cloud="custom", endpoint="https://arm.example.com", token=token).identity()
    assert (found.name, found.expires_at_unix_s) == ("", None)


def test_no_credential_at_all_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")  # the others would ask the network
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_USERNAME", "AZURE_CLIENT_CERTIFICATE_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CloudError) as caught:
        cloud_from_settings(cloud="public").identity()
    assert (caught.value.failure, caught.value.code) == (Failure.UNAUTHENTICATED, "NoCredential")
    assert "az login" in caught.value.message


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    script = (
        "import sys; from vtapweb.cloud.connect import cloud_from_settings;"
        "cloud_from_settings(cloud='public'); print([name for name in sys.modules if name.split('.')[0] == 'azure'])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
