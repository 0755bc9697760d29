"""Writes of the wall. Shape: check, write, audit, announce after commit."""

from vtapweb.wall.actions.displays import display_address, display_create

__all__ = ["display_address", "display_create"]
