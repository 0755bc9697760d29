"""What this installation lacks, in plain words, each with what mends it. Reads only, here and in Azure."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from vtapweb.access.models import Role, User
from vtapweb.cloud.advice import advise, role_assignment_command
from vtapweb.cloud.connect import CloudSettingsError, cloud_from_settings
from vtapweb.cloud.port import Cloud, CloudError, Failure, ReadKind, WritableCloud
from vtapweb.cloud.types import Identity
from vtapweb.config.health import database_lack, lacks
from vtapweb.domain.permissions import PermissionList, allows
from vtapweb.domain.scope import Scope
from vtapweb.inventory.clouds import open_cloud_for_writes
from vtapweb.taps.selectors.conditions import NEEDED
from vtapweb.taps.selectors.writes import WritesState, writes_states
from vtapweb.web.text import visible

LITTLE_SPACE_OCTETS = 500 * 1000 * 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `fix` is a sentence or command, "" where nothing lacks."""

    is_ok: bool
    text: str
    fix: str = ""


NEEDS = {"worker": "redis", "meter": "redis", "watch": "database"}  # what cannot be judged where the other lacks


def installation() -> Iterator[Finding]:
    """This machine's part: settings, data directory, database, queue, workers, meter, watch, people."""
    try:
        cloud_from_settings(cloud=settings.CLOUD, endpoint=settings.ARM_ENDPOINT, token=settings.ARM_TOKEN)
        open_cloud_for_writes()
        yield Finding(True, f"The cloud is {settings.CLOUD}.")
    except (CloudSettingsError, CloudError) as error:
        yield Finding(
            False,
            error.message if isinstance(error, CloudError) else str(error),
            "Set it in the environment or in .env; docs/settings.md lists all. The demo: bin/up",
        )
    free = shutil.disk_usage(settings.DATA_DIR).free
    space = f"{free / 1e9:.1f} GB are free where the data live ({settings.DATA_DIR})."
    yield Finding(free > LITTLE_SPACE_OCTETS, space, "" if free > LITTLE_SPACE_OCTETS else "Free some space, or move the data directory.")
    found = lacks()
    for part, good in (
        ("database", "The database is up to date."),
        ("redis", "Redis answers."),
        ("worker", "Workers serve every queue."),
        ("meter", "The meter works."),
        ("watch", "The watch works."),
    ):
        lack = next((lack for lack in found if lack.part == part), None)
        if lack is not None:
            happened, _, fix = lack.text.partition(". ")
            yield Finding(False, f"{happened}.", fix)
        elif NEEDS.get(part) not in {other.part for other in found}:
            yield Finding(True, good)
    if database_lack() is None:
        has_admin = User.objects.filter(role=Role.ADMIN, is_active=True).exists()
        yield Finding(has_admin, "There is an admin." if has_admin else "There is no admin.", "" if has_admin else "bin/manage admin_create_first")
        sync = next((lack for lack in found if lack.part == "sync"), None)
        if sync is None:
            yield Finding(True, "The last sync is recent.")
        else:
            happened, _, fix = sync.text.partition(". ")
            yield Finding(False, f"{happened}.", fix)


def azure(cloud: Cloud) -> Iterator[Finding]:
    """Azure's part: who we are, which subscriptions we see, and for each the lists that we may read (of each the first page)."""
    try:
        identity = cloud.identity()
    except CloudError as error:
        advice = advise(error)
        yield Finding(False, f"{advice.happened} {error.code} {error.message}".strip(), f"{advice.to_do} {advice.command}".strip())
        return
    who = identity.name or identity.object_id or "an identity that its token does not name"
    tenant = f"tenant {identity.tenant_id}" if identity.tenant_id else "a tenant that the token does not name"
    yield Finding(True, f"Signed in as {who}, {tenant}, cloud {identity.cloud} at {identity.endpoint}.")
    try:
        listed = [subscription for page in cloud.subscriptions() for subscription in page.items]
    except CloudError as error:
        advice = advise(error, identity=identity)
        yield Finding(False, f"The list of subscriptions: {advice.happened} {error.code}".strip(), f"{advice.to_do} {advice.command}".strip())
        return
    if not listed:
        fix = "Give it Reader on one: az role assignment create --assignee OBJECT_ID --role Reader --scope /subscriptions/SUBSCRIPTION_ID"
        yield Finding(False, f"Signed in, but Azure shows {who} no subscriptions.", fix)
    unseen = {wanted.lower() for wanted in settings.SUBSCRIPTIONS} - {one.subscription_id.lower() for one in listed}
    for missing in sorted(unseen):
        yield Finding(False, f"VTAPWEB_SUBSCRIPTIONS names {missing}, which Azure does not show to {who}.", "Check the id, or give it Reader there.")
    for subscription in listed:
        problems: dict[str, tuple[CloudError, list[str]]] = {}
        read = 0
        for kind in ReadKind:
            try:
                next(iter(cloud.pages(kind, subscription.subscription_id)), None)
                read += 1
            except CloudError as error:
                if error.failure is not Failure.MISSING:  # a list that this server does not have is unknown, no lack
                    problems.setdefault(f"{error.failure} {error.code}", (error, []))[1].append(kind.value.replace("_", " "))
        name = f"{subscription.display_name or subscription.subscription_id} ({subscription.subscription_id})"
        if not problems:
            yield Finding(True, f"{name}: all {read} lists can be read.")
        for problem, kinds in problems.values():
            advice = advise(problem, subscription_id=subscription.subscription_id, identity=identity)
            what = "nothing can be read" if read == 0 else f"cannot read {', '.join(kinds)}"
            yield Finding(False, f"{name}: {what}. {advice.happened} {problem.code}".strip(), f"{advice.to_do} {advice.command}".strip())


GROUPS_LOOKED_AT = 100
ROLE_FOR_WRITES = "Network Contributor"


def writing(cloud: WritableCloud) -> Iterator[Finding]:
    """What the identity for writes may do in each subscription, the locks and the feature, and whether an admin lets vtapweb write there.

    What lacks is a lack only where writing is enabled: a read-only installation needs none of it.
    """
    try:
        identity = cloud.identity()
        listed = [subscription for page in cloud.subscriptions() for subscription in page.items]
    except CloudError as error:
        advice = advise(error)
        yield Finding(False, f"For writes: {advice.happened} {error.code} {error.message}".strip(), f"{advice.to_do} {advice.command}".strip())
        return
    states = writes_states(Scope.everything(), [one.subscription_id for one in listed]) if database_lack() is None else {}
    for subscription in listed:
        state = states.get(subscription.subscription_id.lower())
        name = f"{subscription.display_name or subscription.subscription_id} ({subscription.subscription_id})"
        is_enabled = state is not None and state.is_enabled
        yield Finding(True, f"{name}: {_switch(state)}")
        yield _rights(cloud, name, subscription.subscription_id, identity, is_enabled=is_enabled)
        yield from _hindrances(cloud, name, subscription.subscription_id)


def _switch(state: WritesState | None) -> str:
    if state is None:
        return "whether vtapweb may write there is not known."
    if state.is_stopped:
        return f"writes are stopped by {visible(state.stopped_by)}."
    return "an admin lets vtapweb write there." if state.is_enabled else "read-only for vtapweb (bin/manage writes --enable …)."


def _rights(cloud: WritableCloud, name: str, subscription_id: str, identity: Identity, *, is_enabled: bool) -> Finding:
    """One finding on permissions: at the subscription, else in how many of its groups."""
    grant = role_assignment_command(subscription_id, identity, role=ROLE_FOR_WRITES)
    try:
        if _may(cloud, f"/subscriptions/{subscription_id}"):
            return Finding(True, f"{name}: TAPs and mirrors may be written in all of it.")
        groups = [group.arm_id for page in cloud.pages(ReadKind.RESOURCE_GROUPS, subscription_id) for group in page.items][:GROUPS_LOOKED_AT]
        granted = [one for one in groups if _may(cloud, one)]
    except CloudError as error:
        if error.failure is Failure.MISSING:
            return Finding(True, f"{name}: this server tells nobody's permissions; whether it accepts a write shows when it is sent.")
        advice = advise(error, subscription_id=subscription_id, identity=identity)
        mends = grant if error.failure is Failure.FORBIDDEN else advice.to_do
        return Finding(not is_enabled, f"{name}: what may be written is not known. {advice.happened} {error.code}".strip(), mends)
    if granted:
        told = f"in {len(granted)} of {len(groups)} resource groups{' looked at' if len(groups) == GROUPS_LOOKED_AT else ''}"
        return Finding(True, f"{name}: TAPs and mirrors may be written {told}.", "" if len(granted) == len(groups) else f"For all of it: {grant}")
    return Finding(not is_enabled, f"{name}: nothing may be written; it lacks {NEEDED[0]} and {NEEDED[2]}.", grant)


def _may(cloud: WritableCloud, scope_id: str) -> bool:
    lists = [PermissionList(one.actions, one.not_actions) for one in cloud.permissions(scope_id)]
    return all(allows(lists, action) for action in NEEDED)


def _hindrances(cloud: WritableCloud, name: str, subscription_id: str) -> Iterator[Finding]:
    """Locks, and the feature where it is not registered: to be known, no lacks."""
    try:
        locks = cloud.locks(subscription_id)
        if locks:
            first = f"{visible(locks[0].name)} ({visible(locks[0].level)}) on {visible(locks[0].scope_id)}"
            more = f" and {len(locks) - 1} more" if len(locks) > 1 else ""
            yield Finding(True, f"{name}: management locks refuse writes below them: {first}{more}.")
    except CloudError as error:
        yield Finding(True, f"{name}: its management locks are not known. {error.code}".strip())
    try:
        state = cloud.feature(subscription_id)
    except CloudError:
        return
    if state.lower() != "registered":
        register = f"az feature register --namespace Microsoft.Network --name AllowVirtualNetworkTap --subscription {subscription_id}"
        yield Finding(True, f"{name}: the feature AllowVirtualNetworkTap is {visible(state)}; it may or may not be needed (not verified).", register)
