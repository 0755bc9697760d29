"""Where each node of the map stands, and which picture was sent last.

Rule 1: a placement's id is the node's number on the wire and never names another node (AUTOINCREMENT, a sequence). Rule 2: losing these tables loses
no truth, only everybody's sense of place.
"""

from django.db import models
from django.db.models import Q


class Placement(models.Model):
    """One node's place. What x, y, w, h, slot and `parent` mean depends on the kind; vtapweb.topology.placements reads and writes them."""

    class Kind(models.TextChoices):
        REGION = "region", "Region"
        VNET = "vnet", "VNet"
        SUBNET = "subnet", "Subnet"
        NIC = "nic", "NIC"
        PEERING = "peering", "Peering"
        COLLECTOR = "collector", "Collector"
        MIRROR = "mirror", "Mirror"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(max_length=26, unique=True)
    parent = models.CharField(max_length=80, default="", blank=True)
    owners = models.TextField(default="", blank=True)  # subscriptions whose documents tell of it, lower-case, parted by spaces
    x = models.IntegerField(default=0)
    y = models.IntegerField(default=0)
    w = models.IntegerField(default=0)
    h = models.IntegerField(default=0)
    slot = models.IntegerField(default=0)
    columns = models.IntegerField(default=0)
    capacity = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["region", "vnet", "subnet", "nic", "peering", "collector", "mirror"]), name="placement_kind_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class TopologyState(models.Model):
    """One row, id 1: the last picture of the whole estate, and who is making the next. `wanted` counts requests, so none is lost meanwhile."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    revision = models.PositiveBigIntegerField(default=0)
    series_revision = models.PositiveBigIntegerField(default=0)
    built_at = models.DateTimeField(null=True)
    picture = models.BinaryField(default=b"")  # the body of GET topology as vtapweb.topology.body writes it, "" before the first
    picture_crc = models.PositiveBigIntegerField(default=0)
    picture_octets = models.PositiveBigIntegerField(default=0)  # before compression
    inventory_mark = models.TextField(default="", blank=True)  # what the inventory looked like when it was read
    wanted = models.PositiveBigIntegerField(default=0)
    is_rearrange_wanted = models.BooleanField(default=False)
    lease_owner = models.CharField(max_length=80, default="", blank=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="topologystate_one_row")]

    def __str__(self) -> str:
        return f"r{self.revision}"
