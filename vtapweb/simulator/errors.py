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
    message = f"The simulator does not answer {method} here: it writes TAPs and TAP configurations only."
    return ArmError(405, "MethodNotAllowed", message, headers={"allow": "GET"})


def linked_forbidden(action: str, scope: str, linked_action: str, linked_scope: str) -> ArmError:
    message = (
        f"The client has permission to perform action '{action}' on scope '{scope}'; however, it does not have permission to perform action "
        f"'{linked_action}' on the linked scope(s) '{linked_scope}' or the linked scope(s) are invalid."
    )
    return ArmError(403, "LinkedAuthorizationFailed", message)


def linked_tenant(action: str, scope: str, tenant_id: str, linked_subscription_id: str) -> ArmError:
    message = (
        f"The client has permission to perform action '{action}' on scope '{scope}', however the current tenant '{tenant_id}' is not "
        f"authorized to access linked subscription '{linked_subscription_id}'."
    )
    return ArmError(403, "LinkedAuthorizationFailed", message)


def scope_locked(scope: str, locked: list[str], *, is_delete: bool) -> ArmError:
    verb = "delete" if is_delete else "write"
    message = (
        f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: '{', '.join(locked)}'. "
        "Please remove the lock and try again."
    )
    return ArmError(409, "ScopeLocked", message)


def another_operation(arm_id: str, retry_after_s: int) -> ArmError:
    message = f"Another operation is in progress on {arm_id}. Please retry later."
    return ArmError(429, "RetryableErrorDueToAnotherOperation", message, headers={"retry-after": str(retry_after_s)}, has_details=True)


def reference_not_ready(arm_id: str, referrer_id: str) -> ArmError:
    message = (
        f"Cannot proceed with operation because resource {arm_id} used by resource {referrer_id} is not in Succeeded state. (simulator: the status)"
    )
    return ArmError(409, "ReferencedResourceNotProvisioned", message, has_details=True)


def invalid_reference(arm_id: str, referrer_id: str) -> ArmError:
    message = (
        f"Resource {arm_id} referenced by resource {referrer_id} was not found. "
        "Please make sure that the referenced resource exists, and that both resources are in the same region."
    )
    return ArmError(400, "InvalidResourceReference", message, has_details=True)


def refused(code: str, message: str) -> ArmError:
    """A rule of the network service that a write breaks."""
    return ArmError(400, code, message, has_details=True)


def invalid_content(what: str) -> ArmError:
    return ArmError(400, "InvalidRequestContent", f"The request content was invalid: {what}.")


def invalid_name(name: str) -> ArmError:
    message = f"Resource name {name} is invalid. It begins with a letter or digit, holds letters, digits, _ . - and at most 80 characters."
    return ArmError(400, "InvalidResourceName", message, has_details=True)


def invalid_location(arm_id: str, location: str, wanted: str) -> ArmError:
    message = f"The resource '{arm_id}' already exists in location '{location}'. A resource with the same name cannot be created in '{wanted}'."
    return ArmError(409, "InvalidResourceLocation", message)


def location_required() -> ArmError:
    return ArmError(400, "LocationRequired", "The location property is required for this definition.")


def precondition_failed() -> ArmError:
    return ArmError(412, "PreconditionFailed", "The etag of the resource is not the one that the request names.")


def quota_exceeded(scope: str, limit: int) -> ArmError:
    return ArmError(400, "QuotaExceeded", f"{scope} would be one more than the limit of {limit}. (simulator)")


def operation_not_found(operation_id: str) -> ArmError:
    return ArmError(404, "OperationNotFound", f"The operation {operation_id} was not found. (simulator)")


def operation_unsigned(operation_id: str) -> ArmError:
    return ArmError(403, "InvalidOperationSignature", f"The address of the operation {operation_id} is not signed as it was handed out. (simulator)")


def invalid_metrics(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)


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
