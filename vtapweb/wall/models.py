"""Displays and what they show: groups, views, playlists, keys, pairings.

Rule 1: of a key or a code only the digest stands here. Rule 2: every object has the scope of who made it, and is seen by those whose scope covers
that; a display reads with its own scope, never with its group's, view's or playlist's.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from vtapweb.access.models import User
from vtapweb.domain.scope import Scope

NAME_LENGTH = 80
EVERY_DAY = 0b1111111  # Monday is bit 0
SHORTEST_ENTRY_S = 5
LONGEST_ENTRY_S = 24 * 3600


class ViewKind(models.TextChoices):
    OVERVIEW = "overview", "Overview"
    COLLECTOR = "collector", "One collector"
    MAP = "map", "Map"
    SOURCES = "sources", "Top sources"
    ALARMS = "alarms", "Alarms"


class Scene(models.TextChoices):
    NORMAL = "normal", "Normal"
    INCIDENT = "incident", "Incident"
    VISITORS = "visitors", "Visitors"


class DisplayRole(models.TextChoices):
    STAGE = "stage", "Stage: takes new alarms"
    PICTURE = "picture", "Picture: keeps its job"


class Theme(models.TextChoices):
    DARK = "dark", "Dark"
    LIGHT = "light", "Light"


class Scoped(models.Model):
    """Something that stands for a part of the estate: everything, or these subscriptions (none at all concern nobody, so everybody may see it)."""

    has_all_subscriptions = models.BooleanField(default=False)
    subscription_ids = models.JSONField(default=list, blank=True)  # lower-case

    class Meta:
        abstract = True

    @property
    def scope(self) -> Scope:
        return Scope.everything() if self.has_all_subscriptions else Scope.of(self.subscription_ids)


class WallView(Scoped):
    """What a display shows. `options` by kind, docs/wall.md: {"x","y","k"}, {"node"}, {"collector"}, {"number"}, {"unit"}; {} is all of it."""

    name = models.CharField(max_length=NAME_LENGTH)
    kind = models.CharField(max_length=10, choices=ViewKind.choices)
    options = models.JSONField(default=dict, blank=True)
    is_builtin = models.BooleanField(default=False)  # one of each kind that needs no options; made on first use, never changed
    is_passing = models.BooleanField(default=False)  # made to be pushed once; gone when no display shows it any more
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-is_builtin", "name", "pk"]
        constraints = [
            models.CheckConstraint(name="wallview_kind_known", condition=Q(kind__in=ViewKind.values)),
            models.UniqueConstraint(name="wallview_one_builtin_a_kind", fields=["kind"], condition=Q(is_builtin=True)),
        ]

    def __str__(self) -> str:
        return self.name


class Playlist(Scoped):
    """Views one after the other, for ever; domain/playlist.py says which one when."""

    name = models.CharField(max_length=NAME_LENGTH)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class PlaylistEntry(models.Model):
    """One view for so many seconds, on these days between these hours of the display's own time zone.

    `until_hour` before `from_hour` goes over midnight; such a night belongs to the day on which it begins.
    """

    playlist = models.ForeignKey(Playlist, on_delete=models.CASCADE, related_name="entries")
    position = models.PositiveSmallIntegerField(default=0)
    view = models.ForeignKey(WallView, on_delete=models.PROTECT, related_name="entries")
    seconds = models.PositiveIntegerField(default=30, validators=[MinValueValidator(SHORTEST_ENTRY_S), MaxValueValidator(LONGEST_ENTRY_S)])
    weekdays = models.PositiveSmallIntegerField(default=EVERY_DAY)  # bits, Monday is bit 0
    from_hour = models.PositiveSmallIntegerField(default=0)
    until_hour = models.PositiveSmallIntegerField(default=24)

    class Meta:
        ordering = ["playlist", "position", "pk"]
        constraints = [
            models.CheckConstraint(name="playlistentry_seconds", condition=Q(seconds__gte=SHORTEST_ENTRY_S, seconds__lte=LONGEST_ENTRY_S)),
            models.CheckConstraint(name="playlistentry_weekdays", condition=Q(weekdays__gte=1, weekdays__lte=EVERY_DAY)),
            models.CheckConstraint(
                name="playlistentry_hours", condition=Q(from_hour__lte=23, until_hour__gte=1, until_hour__lte=24) & ~Q(from_hour=F("until_hour"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.view_id} for {self.seconds} s"


class DisplayGroup(Scoped):
    """The displays of one room, which change their scene together."""

    name = models.CharField(max_length=NAME_LENGTH)
    scene = models.CharField(max_length=10, choices=Scene.choices, default=Scene.NORMAL)
    scene_since = models.DateTimeField(null=True, blank=True)
    scene_by = models.CharField(max_length=200, default="", blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(name="displaygroup_scene_known", condition=Q(scene__in=Scene.values)),
            models.UniqueConstraint(name="displaygroup_one_a_name", fields=["name"]),
        ]

    def __str__(self) -> str:
        return self.name


class Display(Scoped):
    """One screen and its browser. What it shows: what was pushed, else what the scene says, else its playlist, else its view, else the overview."""

    name = models.CharField(max_length=NAME_LENGTH)
    place = models.CharField(max_length=NAME_LENGTH, default="", blank=True)
    group = models.ForeignKey(DisplayGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="displays")
    role = models.CharField(max_length=10, choices=DisplayRole.choices, default=DisplayRole.PICTURE)
    view = models.ForeignKey(WallView, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    playlist = models.ForeignKey(Playlist, null=True, blank=True, on_delete=models.PROTECT, related_name="displays")
    incident_view = models.ForeignKey(WallView, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    theme = models.CharField(max_length=5, choices=Theme.choices, default=Theme.DARK)
    scale = models.FloatField(default=1.0, validators=[MinValueValidator(0.5), MaxValueValidator(3.0)])
    time_zone = models.CharField(max_length=64, default="UTC")  # an IANA name
    dim_from_hour = models.PositiveSmallIntegerField(null=True, blank=True)  # of the display's day; null: never dimmed
    dim_until_hour = models.PositiveSmallIntegerField(null=True, blank=True)
    dim_percent = models.PositiveSmallIntegerField(default=40)  # how much light is left

    pushed_view = models.ForeignKey(WallView, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    pushed_at = models.DateTimeField(null=True, blank=True)
    pushed_until = models.DateTimeField(null=True, blank=True)
    pushed_by = models.CharField(max_length=200, default="", blank=True)
    identify_until = models.DateTimeField(null=True, blank=True)
    reload_asked_at = models.DateTimeField(null=True, blank=True)

    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_by_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)  # for good: a screen that comes back gets a display of its own
    revoked_by_name = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(name="display_role_known", condition=Q(role__in=DisplayRole.values)),
            models.CheckConstraint(name="display_theme_known", condition=Q(theme__in=Theme.values)),
            models.CheckConstraint(name="display_scale", condition=Q(scale__gte=0.5, scale__lte=3.0)),
            models.CheckConstraint(name="display_dim_percent", condition=Q(dim_percent__gte=5, dim_percent__lte=100)),
            models.CheckConstraint(
                name="display_dim_hours",
                condition=Q(dim_from_hour__isnull=True, dim_until_hour__isnull=True)
                | (
                    Q(dim_from_hour__isnull=False, dim_until_hour__isnull=False)  # else a null would make it neither true nor false, which passes
                    & Q(dim_from_hour__lte=23, dim_until_hour__gte=1, dim_until_hour__lte=24)
                    & ~Q(dim_from_hour=F("dim_until_hour"))
                ),
            ),
            models.UniqueConstraint(
                name="display_one_stage_a_group", fields=["group"], condition=Q(role="stage", revoked_at=None, group__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scene(self) -> Scene:
        """The group's; a display of no group is always in the normal one."""
        return Scene.NORMAL if self.group is None else Scene(self.group.scene)


class DisplayKey(models.Model):
    """What shows that somebody is the display: the address that is good once, or the cookie that follows. Known by the SHA-256 of 256 random bits."""

    class Kind(models.TextChoices):
        URL = "url", "address"
        COOKIE = "cookie", "cookie"

    display = models.ForeignKey(Display, on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    digest = models.CharField(max_length=64, unique=True)
    issued_at = models.DateTimeField(default=timezone.now)
    first_used_at = models.DateTimeField(null=True)  # an address is spent then
    ended_at = models.DateTimeField()  # good before it, nothing from then on

    class Meta:
        ordering = ["-pk"]
        constraints = [models.CheckConstraint(name="displaykey_kind_known", condition=Q(kind__in=["url", "cookie"]))]

    def __str__(self) -> str:
        return f"{self.kind} of {self.display_id}"


class Pairing(models.Model):
    """A screen that waits with a code until somebody at a desk says which display it is."""

    code_digest = models.CharField(max_length=64, unique=True)  # keyed with the installation's secret: a code alone would be guessed from its digest
    cookie_digest = models.CharField(max_length=64, unique=True)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    ended_at = models.DateTimeField()
    display = models.ForeignKey(Display, null=True, on_delete=models.CASCADE, related_name="+")  # once somebody has typed the code
    paired_at = models.DateTimeField(null=True)
    collected_at = models.DateTimeField(null=True)  # the screen has its cookie

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"pairing {self.pk}"
