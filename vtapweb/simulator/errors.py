"""ARM's error envelope, and the refusals a reader of Azure meets. Codes are Azure's own where AZURE's documentation or recordings name them."""

import orjson


class ArmError(Exception):
    """A refusal on its way to the caller: `{"error": {"code", "message"}}` with a status."""

    def __init__(self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None, has_details: bool = False) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.has_details = has_details

    @property
    def body(self) -> bytes:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.has_details:
            error["details"] = []
        return orjson.dumps({"error": error})


def missing_token() -> ArmError:
    message = "Authentication failed. The 'Authorization' header is missing or holds no bearer token."
    return ArmError(401, "InvalidAuthenticationToken", message, headers={"www-authenticate": _challenge("invalid_token", message)})


def expired_token() -> ArmError:
    message = "The access token expiry UTC time is earlier than current UTC time."
    return ArmError(401, "ExpiredAuthenticationToken", message, headers={"www-authenticate": _challenge("invalid_token", message)})


def _challenge(error: str, description: str) -> str:
    return f'Bearer authorization_uri="https://login.microsoftonline.com/", error="{error}", error_description="{description}"'


def missing_api_version() -> ArmError:
    return ArmError(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")


def invalid_subscription(text: str) -> ArmError:
    return ArmError(400, "InvalidSubscriptionId", f"The provided subscription identifier '{text}' is malformed or invalid.")


def subscription_not_found(subscription_id: str) -> ArmError:
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found.")


def group_not_found(group: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def resource_not_found(resource_type: str, name: str, group: str) -> ArmError:
    message = f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found."
    return ArmError(404, "ResourceNotFound", message, headers={"x-ms-failure-cause": "gateway"})


def child_not_found(path: str) -> ArmError:
    return ArmError(404, "NotFound", f"Resource {path} not found.", has_details=True)


def type_not_found(resource_type: str, namespace: str, api_version: str) -> ArmError:
    message = f"The resource type '{resource_type}' could not be found in the namespace '{namespace}' for api version '{api_version}'."
    return ArmError(404, "InvalidResourceType", message)


def invalid_path(path: str) -> ArmError:
    return ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{path}'.")


def forbidden(action: str, scope: str) -> ArmError:
    client = "7c9d0f3e-5d6a-4b1e-9f60-5f0f3a1c2b4d"
    message = (
        f"The client '{client}' with object id '{client}' does not have authorization to perform action '{action}' over scope '{scope}' "
        "or the scope is invalid. If access was recently granted, please refresh your credentials."
    )
    return ArmError(403, "AuthorizationFailed", message)


def method_not_allowed(method: str) -> ArmError:
    return ArmError(405, "MethodNotAllowed", f"The simulator does not answer {method} here: it has Azure's reads only.", headers={"allow": "GET"})


def invalid_skip_token() -> ArmError:
    return ArmError(400, "InvalidSkipToken", "The provided skip token is malformed.")


def too_many_requests(retry_after_s: int, *, is_network_quota: bool = False) -> ArmError:
    headers = {"retry-after": str(retry_after_s)}
    if is_network_quota:
        return ArmError(429, "TooManyRequests", f"The Network resource provider's limit was reached. Retry after {retry_after_s} s.", headers=headers)
    message = f"Number of requests for subscription and principal exceeded the limit. Please try again after '{retry_after_s}' seconds."
    return ArmError(429, "SubscriptionRequestsThrottled", message, headers=headers)


def server_error(status: int) -> ArmError:
    code, message = {
        500: ("InternalServerError", "Encountered internal server error."),
        502: ("BadGateway", "The gateway did not receive a response from the upstream service."),
        504: ("GatewayTimeout", "The gateway did not receive a response from 'Microsoft.Network' within the specified time period."),
    }.get(status, ("ServerUnavailable", "The service is temporarily unavailable."))
    return ArmError(status, code, message)
