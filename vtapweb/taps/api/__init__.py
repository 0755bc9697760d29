"""The taps room's part of the API: each module brings a router, and all of them are joined here."""

from ninja import Router

from vtapweb.taps.api.acts import router as acts_router
from vtapweb.taps.api.changes import router as changes_router
from vtapweb.taps.api.coverage import router as coverage_router
from vtapweb.taps.api.ledger import router as ledger_router
from vtapweb.taps.api.mirrors import router as mirrors_router
from vtapweb.taps.api.steering import router as steering_router
from vtapweb.taps.api.verdicts import router as verdicts_router

router = Router(tags=["taps"])
router.add_router("", changes_router)
router.add_router("", ledger_router)
router.add_router("", verdicts_router)
router.add_router("", acts_router)
router.add_router("", steering_router)
router.add_router("", coverage_router)
router.add_router("", mirrors_router)
