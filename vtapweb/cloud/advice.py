"""What a failed read means to the person in front of it: what happened, what to do, and the command that does it. Pure tables.

Sources of the codes: learn.microsoft.com "Microsoft Entra authentication and authorization error codes", "Troubleshoot common Azure deployment
errors" and "Troubleshoot Azure RBAC". What ARM said itself (code, message) is shown beside the advice by whoever shows it, never replaced by it.
"""

import re
import shlex
from dataclasses import dataclass

from vtapweb.cloud.port import CloudError, Failure
from vtapweb.cloud.types import Identity

_PLAIN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")


@dataclass(frozen=True, slots=True)
class Advice:
    """Two sentences and a shell command; `command` is "" where no command mends it."""

    happened: str
    to_do: str
    command: str = ""


_OF_FAILURE: dict[Failure, tuple[str, str]] = {
    Failure.THROTTLED: ("Azure asked us to slow down for longer than one read may wait.", "Nothing: the next sync reads it again."),
    Failure.SERVER: ("Azure answered with server errors several times in a row.", "Nothing, if it passes; else look at status.azure.com."),
    Failure.CONNECTION: ("Azure could not be reached.", "Check name resolution, the firewall and HTTPS_PROXY from this machine to the ARM endpoint."),
    Failure.BROKEN_BODY: (
        "The answers were cut short or were no list.",
        "Look at what stands between here and Azure: a proxy that rewrites answers does this.",
    ),
    Failure.UNAUTHENTICATED: (
        "Azure does not accept our sign-in.",
        "Check the AZURE_* variables, or VTAPWEB_ARM_TOKEN for a custom cloud; a static token expires.",
    ),
    Failure.FORBIDDEN: ("This identity may not read here.", "Give it the role Reader on the subscription. It takes effect after a few minutes."),
    Failure.MISSING: ("This server has no such list.", "Nothing: what it would tell stays unknown, and everything else is read."),
    Failure.FOREIGN_LINK: (
        "The server sent us to another host, which must not get our token.",
        "Check VTAPWEB_ARM_ENDPOINT: it must be the host that the links name.",
    ),
    Failure.REFUSED: ("Azure refused the request.", "See its own words beside this; they name the reason."),
}

_OF_CODE: dict[str, tuple[str, str]] = {
    "nocredential": (
        "Nobody is signed in to Azure.",
        "Set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, give this machine a managed identity, or sign in with az.",
    ),
    "aadsts7000215": ("The client secret is wrong.", "Put the secret's value (not its id) into AZURE_CLIENT_SECRET."),
    "aadsts7000222": ("The client secret has expired.", "Make a new one for the app registration and put it into AZURE_CLIENT_SECRET."),
    "aadsts700016": ("The application is not known in this tenant.", "Check AZURE_CLIENT_ID and AZURE_TENANT_ID: they must belong together."),
    "aadsts90002": ("The tenant does not exist in this cloud.", "Check AZURE_TENANT_ID and VTAPWEB_CLOUD (public, usgov, china)."),
    "expiredauthenticationtoken": ("Our token has expired.", "For a static VTAPWEB_ARM_TOKEN: put in a new one. Else check this machine's clock."),
    "invalidauthenticationtokentenant": (
        "The token was issued by another tenant than the subscription's.",
        "Sign in to the subscription's tenant: AZURE_TENANT_ID must be the one that owns it.",
    ),
    "subscriptionnotfound": (
        "The subscription does not exist, or this identity cannot see it.",
        "Check its id, and that the identity has a role in it.",
    ),
    "disabledsubscription": ("The subscription is disabled.", "Reading goes on where Azure allows it; its owner can enable it again."),
    "missingsubscriptionregistration": (
        "The subscription has not registered this resource provider, so it can hold none of its resources.",
        "Nothing, if that is right. Registering it is a write that vtapweb never does by itself.",
    ),
    "noregisteredproviderfound": ("This cloud does not offer the list in the version that we ask for.", "Nothing: what it would tell stays unknown."),
    "endlesslist": ("The server's pages go in a circle.", "Report it to whoever runs that server."),
    "retryableerrorduetoanotheroperation": ("Another operation holds the resource.", "Nothing: the next sync reads it again."),
}


def advise(error: CloudError, *, subscription_id: str = "", identity: Identity | None = None) -> Advice:
    """The advice for a failed read. Knows nothing about the reader's rights; texts hold no secret."""
    return advise_of(error.failure, code=error.code, subscription_id=subscription_id, identity=identity)


def advise_of(failure: Failure | str, *, code: str = "", subscription_id: str = "", identity: Identity | None = None) -> Advice:
    """The same from what a database keeps of a failure. A failure or code that is not known gives the widest advice that fits."""
    known = Failure(failure) if failure in list(Failure) else Failure.REFUSED
    folded = code.lower()
    happened, to_do = _OF_CODE.get(folded) or _OF_FAILURE[known]
    if known is Failure.FORBIDDEN or folded == "subscriptionnotfound":
        return Advice(happened, to_do, role_assignment_command(subscription_id, identity))
    if folded == "nocredential":
        return Advice(happened, to_do, "az login")
    if folded == "missingsubscriptionregistration":
        return Advice(happened, to_do, f"az provider show --namespace Microsoft.Network --subscription {_id(subscription_id, 'SUBSCRIPTION_ID')}")
    return Advice(happened, to_do)


def role_assignment_command(subscription_id: str, identity: Identity | None = None, *, role: str = "Reader") -> str:
    """The `az` line that gives the identity a role on a subscription. What we do not know stands there in capitals, to be filled in."""
    principal = _id(identity.object_id if identity else "", "OBJECT_ID")
    kind = identity.principal_type if identity else ""
    words = ["az", "role", "assignment", "create", "--assignee-object-id", principal]
    words += ["--assignee-principal-type", kind] if kind else []
    words += ["--role", role, "--scope", f"/subscriptions/{_id(subscription_id, 'SUBSCRIPTION_ID')}"]
    return shlex.join(words)


def _id(text: str, placeholder: str) -> str:
    return text if _PLAIN_ID.fullmatch(text) else placeholder
