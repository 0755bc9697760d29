"""Scope: which subscriptions somebody may read. Every selector, task and socket takes one."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Scope:
    """`subscription_ids` is None for everything, else the lower-case ids that may be read (an empty set reads nothing)."""

    subscription_ids: frozenset[str] | None

    @classmethod
    def everything(cls) -> "Scope":
        return cls(None)

    @classmethod
    def of(cls, subscription_ids: Iterable[str]) -> "Scope":
        return cls(frozenset(one.strip().lower() for one in subscription_ids))

    @property
    def is_everything(self) -> bool:
        return self.subscription_ids is None

    def allows(self, subscription_id: str) -> bool:
        return self.subscription_ids is None or subscription_id.lower() in self.subscription_ids

    def meets(self, subscription_ids: Iterable[str]) -> bool:
        """Whether any of these subscriptions may be read."""
        return any(self.allows(one) for one in subscription_ids)

    def covers(self, subscription_ids: Iterable[str]) -> bool:
        """Whether all of these subscriptions may be read (true of none at all)."""
        return all(self.allows(one) for one in subscription_ids)

    @property
    def digest(self) -> str:
        """A short name of the scope for cache keys and ETags: equal scopes have equal digests."""
        if self.subscription_ids is None:
            return "all"
        return blake2b("\n".join(sorted(self.subscription_ids)).encode(), digest_size=8).hexdigest()
