"""The displays of a room: made a group, switched together."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from vtapweb.access.actions import audit_record
from vtapweb.access.viewer import Viewer
from vtapweb.wall.actions.checking import may_change, named, part_of, say
from vtapweb.wall.models import DisplayGroup, Scene


@transaction.atomic
def group_create(*, name: str, acting_user: Viewer, request: HttpRequest | None = None) -> DisplayGroup:
    """A group without displays, for those who may see what its maker sees. Raises ValidationError for a bad name, and
    for one that a group has."""
    may_change(None, acting_user=acting_user)
    group = DisplayGroup.objects.create(name=_name_of_its_own(name), created_by=acting_user.user, **part_of(None, acting_user.scope))
    audit_record(action="wall.group_created", acting_user=acting_user, target=group.name, request=request)
    return group


def _name_of_its_own(name: str, *, but: DisplayGroup | None = None) -> str:
    """A command line names groups, so each has a name of its own, whoever may see it. Raises ValidationError."""
    name = named(name)
    if DisplayGroup.objects.filter(name=name).exclude(pk=but.pk if but else 0).exists():
        raise ValidationError("Another group has this name.")
    return name


@transaction.atomic
def group_rename(*, group: DisplayGroup, name: str, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Another name. Raises ValidationError."""
    may_change(group, acting_user=acting_user)
    before, group.name = group.name, _name_of_its_own(name, but=group)
    group.save(update_fields=["name"])
    audit_record(action="wall.group_renamed", acting_user=acting_user, target=group.name, detail={"before": before}, request=request)
    say("state", group=group)


@transaction.atomic
def group_delete(*, group: DisplayGroup, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """Its displays stay, on their own, and in the normal scene."""
    may_change(group, acting_user=acting_user)
    audit_record(action="wall.group_deleted", acting_user=acting_user, target=group.name, request=request)
    say("state", group=group)
    DisplayGroup.objects.filter(pk=group.pk).delete()


@transaction.atomic
def scene_switch(*, group: DisplayGroup, scene: Scene, acting_user: Viewer, request: HttpRequest | None = None) -> None:
    """All displays of the group change at once; what the visitors' scene hides is no longer sent from the moment that this is committed. To switch to
    the scene that it has changes and records nothing."""
    may_change(group, acting_user=acting_user)
    rows = DisplayGroup.objects.filter(pk=group.pk).exclude(scene=scene)
    if not rows.update(scene=scene, scene_since=timezone.now(), scene_by=acting_user.name):
        return
    before = group.scene
    group.refresh_from_db()
    audit_record(
        action="wall.scene_switched", acting_user=acting_user, target=group.name, detail={"scene": scene.value, "before": before}, request=request
    )
    say("state", group=group)
