"""Collector tokens: made, rotated with an overlap, revoked. Each deed is an audit entry; the secret is in the answer and nowhere else."""

import secrets
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.models import User
from vtapweb.access.selectors import token_digest
from vtapweb.domain.arm_id import arm_key, name_in, subscription_in
from vtapweb.domain.plain_text import storable
from vtapweb.domain.scope import Scope
from vtapweb.traffic.models import CollectorToken
from vtapweb.traffic.selectors.collectors import CollectorFacts, collector_of
from vtapweb.traffic.selectors.tokens import destinations_under

TOKEN_START = "vtc_"  # noqa: S105 (how every collector token begins, for people and secret scanners)
TOKEN_PREFIX_LENGTH = 12
OVERLAP = timedelta(hours=24)  # how long a rotated token goes on working
OVERLAP_MOST = timedelta(days=30)
LIVE_MOST = 200  # of one collector


@transaction.atomic
def token_create(
    *,
    scope: Scope,
    destination_id: str,
    member_id: str = "",
    name: str = "",
    expires_at: datetime | None = None,
    acting_user: User | None = None,
    actor: str = "",
    request: HttpRequest | None = None,
) -> tuple[CollectorToken, str]:
    """A token for the collector at this TAP destination, or for one member (its NIC), and its secret, which is nowhere to be had again.

    Raises ValidationError where no TAP that leads there is known, the collector's subscription is out of scope, the NIC is none of its members,
    the date has passed, or the collector has too many tokens.
    """
    collector = collector_of(scope, arm_key(destination_id))
    if collector is None or not collector.is_in_scope or collector.key != arm_key(collector.destination_id):
        raise ValidationError(_why_none(scope, destination_id))
    if collector.kind == "gone":
        raise ValidationError(f"TAPs still lead to {name_in(collector.destination_id)}, but it is gone from Azure.")
    return _make(
        destination_id=collector.destination_id,
        member_id=_member_of(collector, member_id),
        name=name,
        expires_at=expires_at,
        replaces=None,
        acting_user=acting_user,
        actor=actor,
        request=request,
    )


@transaction.atomic
def token_rotate(
    *, token: CollectorToken, scope: Scope, overlap: timedelta = OVERLAP, acting_user: User, request: HttpRequest | None = None
) -> tuple[CollectorToken, str]:
    """A token in place of this one, for the same collector and member, and its secret; the old one goes on working for `overlap`.

    Raises ValidationError where the token has ended or was rotated before, the overlap is out of range, or the collector is not in scope.
    """
    now = timezone.now()
    token = CollectorToken.objects.select_for_update(of=("self",)).get(pk=token.pk)
    if not token.is_live(now):
        raise ValidationError("This token has ended. Make a new one instead.")
    if CollectorToken.objects.filter(replaces=token).exists():
        raise ValidationError("This token was rotated before. Rotate the newer one.")
    if not timedelta(0) <= overlap <= OVERLAP_MOST:
        raise ValidationError(f"The overlap is between 0 and {OVERLAP_MOST.days} days.")
    if not scope.allows(token.subscription_id):
        raise ValidationError("This collector is outside of what you may see.")
    ends = now + overlap
    if token.expires_at is None or token.expires_at > ends:
        CollectorToken.objects.filter(pk=token.pk).update(expires_at=ends)
    return _make(
        destination_id=token.destination_id,
        member_id=token.member_id,
        name=token.name,
        expires_at=None,
        replaces=token,
        acting_user=acting_user,
        actor="",
        request=request,
    )


@transaction.atomic
def token_revoke(
    *, token: CollectorToken, scope: Scope, acting_user: User | None = None, actor: str = "", request: HttpRequest | None = None
) -> None:
    """Ends the token; every process has noticed within 5 s. Revoking it again changes and records nothing.

    Raises ValidationError where the collector is not in scope.
    """
    if not scope.allows(token.subscription_id):
        raise ValidationError("This collector is outside of what you may see.")
    if CollectorToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit_record(
            action="traffic.collector_token_revoked",
            acting_user=acting_user,
            actor=actor,
            target=str(token),
            detail={"destination": token.destination_id, "member": token.member_id},
            request=request,
        )


def _make(
    *,
    destination_id: str,
    member_id: str,
    name: str,
    expires_at: datetime | None,
    replaces: CollectorToken | None,
    acting_user: User | None,
    actor: str,
    request: HttpRequest | None,
) -> tuple[CollectorToken, str]:
    now, key = timezone.now(), arm_key(destination_id)
    if expires_at is not None and expires_at <= now:
        raise ValidationError("The token would have ended before it begins. Give a later date, or none.")
    if sum(one.is_live(now) for one in CollectorToken.objects.filter(destination_key=key, revoked_at=None)) >= LIVE_MOST:
        raise ValidationError(f"This collector has {LIVE_MOST} tokens that still work. Revoke some first.")
    secret = TOKEN_START + secrets.token_urlsafe(32)
    token = CollectorToken.objects.create(
        destination_key=key,
        destination_id=destination_id,
        subscription_id=subscription_in(destination_id),
        member_key=arm_key(member_id) if member_id else "",
        member_id=member_id,
        name=storable(name).strip()[:150] or name_in(member_id or destination_id)[:150],
        digest=token_digest(secret),
        prefix=secret[:TOKEN_PREFIX_LENGTH],
        created_by=acting_user,
        created_at=now,
        expires_at=expires_at,
        replaces=replaces,
    )
    audit_record(
        action="traffic.collector_token_rotated" if replaces else "traffic.collector_token_created",
        acting_user=acting_user,
        actor=actor,
        target=str(token),
        detail={
            "destination": destination_id,
            "member": member_id,
            "expires_at": expires_at.isoformat() if expires_at else None,
            **({"replaces": str(replaces)} if replaces else {}),
        },
        request=request,
    )
    return token, secret


def _member_of(collector: CollectorFacts, member_id: str) -> str:
    """The member's id as the inventory spells it, "" for "". Raises ValidationError for a NIC that is none."""
    if not member_id.strip():
        return ""
    found = {one.nic_key: one.nic_id for one in collector.members}.get(arm_key(member_id))
    if found is None:
        known = ", ".join(one.name for one in collector.members[:10]) or "none that can be read"
        raise ValidationError(f"{name_in(member_id)} is no member of this collector. Its members are: {known}.")
    return found


def _why_none(scope: Scope, destination_id: str) -> str:
    inside = destinations_under(scope, destination_id) if destination_id.strip("/ ") else []
    if inside:
        return f"A TAP leads not to this resource but to a part of it. Say: {' or '.join(inside[:5])}"
    return (
        "No TAP that is known here leads to this destination, or it is outside of what you may see. "
        "Give the ARM id that the TAP names: a NIC's ipConfiguration or a load balancer's frontend. After a change in Azure run a sync first."
    )
