"""Settings become a Cloud or one clear sentence; no setting leaks."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints

from vtapweb.cloud.connect import AZURE_CLOUDS, CloudSettingsError, WriteSignIn, cloud_for_writes, cloud_from_settings
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
        ({"cloud": "public", "token": TOKEN}, "VTAPWEB_ARM_TOKEN and VTAPWEB_WRITE_TOKEN are for VTAPWEB_CLOUD=custom only"),
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
        ({"cloud": "public", "metrics_endpoint": "https://x.example"}, "VTAPWEB_METRICS_ENDPOINT is for VTAPWEB_CLOUD=custom only"),
        ({"cloud": "custom", "endpoint": "https://arm.example.com", "metrics_endpoint": "http://x.example"}, "in the clear"),
        ({"cloud": "custom", "endpoint": "https://arm.example.com", "metrics_endpoint": "{region}"}, "VTAPWEB_METRICS_ENDPOINT does not fit"),
        ({"cloud": "custom", "endpoint": "https://arm.example.com", "token": "two words"}, "spaces"),
        ({"cloud": "custom", "endpoint": "https://arm.example.com", "token": "line\nbreak"}, "spaces"),
    ],
)
def test_a_wrong_setting_is_one_sentence_without_secrets(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CloudSettingsError, match=sentence) as caught:
        cloud_from_settings(**settings)
    for secret in (TOKEN, "pass", "two words"):
        assert secret not in str(caught.value)


APPLICATION = {"tenant_id": "t", "client_id": "c", "client_secret": TOKEN}


@pytest.mark.parametrize(
    ("cloud", "sign_in", "sentence"),
    [
        ("public", {"token": TOKEN}, "VTAPWEB_WRITE_TOKEN are for VTAPWEB_CLOUD=custom only"),
        ("custom", {**APPLICATION, "token": TOKEN}, "two ways to sign in"),
        ("public", {**APPLICATION, "tenant_id": ""}, "VTAPWEB_WRITE_TENANT_ID is missing"),
        ("public", {**APPLICATION, "client_id": ""}, "VTAPWEB_WRITE_CLIENT_ID is missing"),
        ("public", {"tenant_id": "t", "client_id": "c"}, "either VTAPWEB_WRITE_CLIENT_SECRET or"),
        ("public", {**APPLICATION, "certificate_path": "/nowhere.pem"}, "either VTAPWEB_WRITE_CLIENT_SECRET or"),
        ("public", {"tenant_id": "t", "client_id": "c", "certificate_path": "/nowhere.pem"}, "/nowhere.pem, which does not exist"),
    ],
)
def test_a_wrong_sign_in_for_writes_is_one_sentence_without_secrets(cloud: str, sign_in: dict[str, str], sentence: str) -> None:
    endpoint = "https://arm.example.com" if cloud == "custom" else ""
    with pytest.raises(CloudSettingsError, match=sentence) as caught:
        cloud_for_writes(cloud=cloud, endpoint=endpoint, sign_in=WriteSignIn(**sign_in))
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(WriteSignIn(**sign_in))


def test_writes_sign_in_as_themselves_where_they_are_told_to_else_as_who_reads() -> None:
    reader, writer = jwt({"oid": "reader"}), jwt({"oid": "writer"})
    how: Any = {"cloud": "custom", "endpoint": "https://arm.example.com", "token": reader}
    assert cloud_for_writes(**how, sign_in=WriteSignIn()).identity().object_id == "reader"
    cloud = cloud_for_writes(**how, sign_in=WriteSignIn(token=writer))
    assert cloud.identity().object_id == "writer"
    assert writer not in repr(cloud)


def test_an_application_that_entra_refuses_is_said_without_its_secret(tmp_path: Path) -> None:
    broken = tmp_path / "certificate.pem"
    broken.write_text("no certificate at all")
    for sign_in in ({**APPLICATION, "tenant_id": "no tenant!"}, {"tenant_id": "t", "client_id": "c", "certificate_path": str(broken)}):
        with pytest.raises(CloudError) as caught:
            cloud_for_writes(cloud="public", sign_in=WriteSignIn(**sign_in)).identity()
        assert (caught.value.failure, caught.value.code) == (Failure.UNAUTHENTICATED, "BadCredentialSettings")
        assert TOKEN not in f"{caught.value!r}{caught.value.message}"


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
