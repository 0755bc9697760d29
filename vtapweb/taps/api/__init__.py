"""The taps room's part of the API: each module brings a router, and all of them are joined here."""

from ninja import Router

router = Router(tags=["taps"])
