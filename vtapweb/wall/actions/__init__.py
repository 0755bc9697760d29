"""Writes of the wall. Shape: check, write, audit, announce after commit."""

from vtapweb.wall.actions.displays import (
    display_address,
    display_change,
    display_create,
    display_identify,
    display_push,
    display_push_end,
    display_reload,
    display_revoke,
)
from vtapweb.wall.actions.groups import group_create, group_delete, group_rename, scene_switch
from vtapweb.wall.actions.pairing import pairing_accept, pairing_collect, pairing_start, pairing_waiting
from vtapweb.wall.actions.views import playlist_delete, playlist_save, view_change, view_create, view_delete

__all__ = [
    "display_address",
    "display_change",
    "display_create",
    "display_identify",
    "display_push",
    "display_push_end",
    "display_reload",
    "display_revoke",
    "group_create",
    "group_delete",
    "group_rename",
    "pairing_accept",
    "pairing_collect",
    "pairing_start",
    "pairing_waiting",
    "playlist_delete",
    "playlist_save",
    "scene_switch",
    "view_change",
    "view_create",
    "view_delete",
]
