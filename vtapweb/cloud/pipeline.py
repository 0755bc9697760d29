"""The Azure SDK's HTTP pipeline: the only file that imports it, and the only one that sees a token.

Rule 1: the token goes to the configured origin and nowhere else: checked here once more, in the last step before the token is attached.
Rule 2: no policy of the SDK's that retries (ours does), follows redirects, parses bodies (we do) or registers resource providers (nobody asked
for that write) is in the pipeline. Rule 3: what leaves here as an error holds no token, no query string and no proxy address.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError, ClientAuthenticationError, DecodeError, HttpResponseError, ServiceRequestError
from azure.core.exceptions import ServiceRequestTimeoutError as ConnectTimeoutError
from azure.core.exceptions import ServiceResponseTimeoutError as ReadTimeoutError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy, UserAgentPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.network import NetworkManagementClient

from vtapweb.cloud.origin import Origin, is_at_home, origin_of
from vtapweb.cloud.port import CloudError, Failure

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60  # between two pieces of an answer
_BLOCK_OCTETS = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: header names in lower case, the body decompressed."""

    status: int
    headers: dict[str, str]
    body: bytes


class StaticToken:
    """A credential that is one fixed token (a server of one's own, the simulator)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, 2**33)

    def __repr__(self) -> str:
        return "StaticToken(…)"


class DefaultCredential:
    """azure-identity's DefaultAzureCredential, made when the first token is needed. Its failures come as CloudError."""

    _nobody = "No Azure credential is set up here: no AZURE_* variables, no managed identity, no `az login`."

    def __init__(self, *, authority: str, ca_file: str = "") -> None:
        self._authority = authority
        self._ca_file = ca_file
        self._inner: Any = None

    def _make(self) -> Any:
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential(authority=self._authority, connection_verify=self._ca_file or True)

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A token for the scopes. Raises CloudError."""
        try:
            if self._inner is None:
                self._inner = self._make()
            token: AccessToken = self._inner.get_token(*scopes, **options)
        except ClientAuthenticationError as error:  # CredentialUnavailableError is one
            raise _sign_in_failure(error, self._nobody) from error
        except AzureError as error:
            raise CloudError(Failure.CONNECTION, message=f"The sign-in service {self._authority} did not answer: {reason_of(error)}.") from error
        except ValueError as error:  # a malformed tenant, an unreadable certificate file
            raise CloudError(Failure.UNAUTHENTICATED, code="BadCredentialSettings", message=scrub(str(error))) from error
        return token

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._authority!r})"


class ApplicationCredential(DefaultCredential):
    """An app registration of its own, with a client secret or a certificate."""

    _nobody = "Azure refused to sign in the identity for writes."

    def __init__(
        self, *, tenant_id: str, client_id: str, client_secret: str = "", certificate_path: str = "", authority: str, ca_file: str = ""
    ) -> None:
        super().__init__(authority=authority, ca_file=ca_file)
        self._tenant_id, self._client_id = tenant_id, client_id
        self._client_secret, self._certificate_path = client_secret, certificate_path

    def _make(self) -> Any:
        from azure.identity import CertificateCredential, ClientSecretCredential

        how: dict[str, Any] = {"authority": self._authority, "connection_verify": self._ca_file or True}
        if self._certificate_path:
            return CertificateCredential(self._tenant_id, self._client_id, self._certificate_path, **how)
        return ClientSecretCredential(self._tenant_id, self._client_id, self._client_secret, **how)


class _StayAtHome(SansIOHTTPPolicy[Any, Any]):
    """Refuses to carry a request (and so the token) to any other origin than the configured one."""

    def __init__(self, home: Origin) -> None:
        self._home = home

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if not is_at_home(request.http_request.url, self._home):
            raise CloudError(Failure.FOREIGN_LINK, message=f"A request that does not go to {self._home} was stopped.")


class _Authentication(ARMChallengeAuthenticationPolicy):
    """The SDK's own, except that plain http is allowed to loopback, where nobody listens on the way."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        origin = origin_of(request.http_request.url)
        if origin.scheme == "http" and origin.is_loopback:
            request.context.options.setdefault("enforce_https", False)
        super().on_request(request)


class Pipeline:
    """Requests with a token. Not safe for use by several threads at once (one requests session)."""

    def __init__(self, *, endpoint: str, scope: str, credential: Any, ca_file: str = "", transport: Any = None) -> None:
        home = origin_of(endpoint)
        self._home = home
        policies = [UserAgentPolicy(base_user_agent="vtapweb"), _StayAtHome(home), _Authentication(credential, scope)]
        self._client = NetworkManagementClient(
            credential,
            "00000000-0000-0000-0000-000000000000",  # unused: paths are ours
            base_url=endpoint,
            credential_scopes=[scope],
            policies=policies,
            transport=transport or _transport(home, ca_file),
        )

    def send(self, method: str, url: str, *, request_id: str, body: bytes | None = None, if_match: str = "") -> Answer:
        """One request, one answer of any status. Raises CloudError where no whole answer came; its `is_outcome_unknown` is for writes."""
        request = HttpRequest(method, url.replace("{", "%7B").replace("}", "%7D"), headers={"Accept": "application/json"}, content=body)
        request.headers["x-ms-client-request-id"] = request_id
        if body is not None:
            request.headers["Content-Type"] = "application/json"
        if if_match:
            request.headers["If-Match"] = if_match
        try:
            with self._client.send_request(request, stream=True) as response:
                content = response.read()
                return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)
        except CloudError:
            raise
        except AzureError as error:
            failure = self._failure(error)
            failure.is_outcome_unknown = method != "GET" and not _was_never_sent(error)
            raise failure from error

    def _failure(self, error: AzureError) -> CloudError:
        if isinstance(error, DecodeError):  # IncompleteReadError is one
            return CloudError(Failure.BROKEN_BODY, message=f"The answer of {self._home} ended early: {reason_of(error)}.")
        if isinstance(error, HttpResponseError):  # raised while reading a body: the connection broke between two chunks
            return CloudError(Failure.CONNECTION, message=f"The connection to {self._home} broke: {reason_of(error)}.")
        verb = "cannot be reached" if isinstance(error, ServiceRequestError) else "did not finish its answer"
        return CloudError(Failure.CONNECTION, message=f"{self._home} {verb}: {reason_of(error)}.")

    def close(self) -> None:
        self._client.close()


def _transport(home: Origin, ca_file: str) -> RequestsTransport:
    transport = RequestsTransport(
        connection_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        connection_verify=ca_file or True,
        connection_data_block_size=_BLOCK_OCTETS,
        use_env_settings=not home.is_loopback,  # a proxy would look for our loopback on its own machine
    )
    transport.open()
    # With any `auth` set, requests does not replace our Authorization header by what a .netrc file says.
    transport.session.auth = _leave_as_is
    return transport


def _leave_as_is(request: Any) -> Any:
    return request


_SECRETS = re.compile(r"(?i)\bbearer\s+\S+|\beyJ[\w-]{8,}(?:\.[\w-]*)+|(client_secret|assertion|password|sig)=[^&\s]+|://[^/@\s]+@")


def scrub(text: str, *, limit: int = 600) -> str:
    """The text in one line of at most `limit` characters, with whatever looks like a token, a secret or a proxy's password taken out."""
    line = " ".join(_SECRETS.sub("…", text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _sign_in_failure(error: Exception, nobody: str) -> CloudError:
    """Entra's own sentence (AADSTS…) where it sent one; without one there was nobody to be signed in, which `nobody` says."""
    text = str(error)
    code = re.search(r"\bAADSTS\d+", text)
    if code is None:
        return CloudError(Failure.UNAUTHENTICATED, code="NoCredential", message=nobody)
    sentence = scrub(text[code.start() :].splitlines()[0])
    return CloudError(Failure.UNAUTHENTICATED, code=code.group(), message=f"Azure refused to sign us in: {sentence}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what lies beneath it: causes, contexts, urllib3's `reason` and errors among the arguments."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting and len(seen) < 30:
        current = waiting.pop(0)
        if current is None or current in seen:
            continue
        seen.append(current)
        yield current
        inner = [
            arg
            for arg in (*current.args, getattr(current, "reason", None), getattr(current, "inner_exception", None))
            if isinstance(arg, BaseException)
        ]
        waiting += [current.__cause__, current.__context__, *inner]


# What fails before the first byte of a request is on its way; whatever else the SDK calls a failed request (a TLS connection that broke, say) may
# have come after the last.
_BEFORE_SENDING = frozenset({"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ConnectTimeout", "ProxyError"})


def _was_never_sent(error: AzureError) -> bool:
    chain = list(_chain(error))
    is_early = any(isinstance(one, ssl.SSLCertVerificationError) or type(one).__name__ in _BEFORE_SENDING for one in chain)
    return isinstance(error, ServiceRequestError) and is_early


def reason_of(error: BaseException) -> str:
    """Why a connection failed, in a few words of ours: the libraries' own texts hold URLs."""
    chain = list(_chain(error))
    certificate = next((one for one in chain if isinstance(one, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return f"its certificate is not trusted ({certificate.verify_message}); SSL_CERT_FILE names the authorities to trust"
    if any(isinstance(one, ssl.SSLError) for one in chain):
        return "TLS failed"
    if any(isinstance(one, socket.gaierror) or type(one).__name__ == "NameResolutionError" for one in chain):
        return "its name cannot be resolved"
    if any(type(one).__name__ == "ProxyError" for one in chain):
        return "the proxy of HTTPS_PROXY failed"
    if isinstance(error, ConnectTimeoutError):
        return f"no connection within {CONNECT_TIMEOUT_S} s"
    if isinstance(error, ReadTimeoutError) or any(isinstance(one, TimeoutError) for one in chain):
        return f"silence for {READ_TIMEOUT_S} s"
    number = next((one.errno for one in chain if isinstance(one, OSError) and one.errno in errno.errorcode), None)
    if number is not None:
        return {errno.ECONNREFUSED: "connection refused", errno.ECONNRESET: "connection reset"}.get(number, errno.errorcode[number])
    return "the connection was closed in the middle"
