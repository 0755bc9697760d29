"""What a rule is, and what it answers. How rules are registered: the decorators below turn a function into a Rule; a module's RULES lists them."""

import inspect
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from vtapweb.domain.tap_rules.facts import SourceFacts, TapFacts, World

# Where a rule comes from. Whatever Azure's documents do not say is labelled so.
OVERVIEW_2019 = "[2019]"
OVERVIEW_2025 = "[2025]"
BOTH_OVERVIEWS = "[2019] [2025]"
FAQ = "[FAQ]"
SPEC = "ARM specification"
LOCKS = "ARM locks; CanNotDelete as product rule"
PRODUCT = "product rule"
UNVERIFIED = "not verified"
UNVERIFIED_PRODUCT = "product rule, not verified at Azure"


class Outcome(StrEnum):
    OK = "ok"
    WARN = "warn"
    BLOCK = "block"
    UNKNOWN = "unknown"


class About(StrEnum):
    SOURCE = "source"
    DESTINATION = "destination"
    PAIR = "pair"


class Answer(NamedTuple):
    """What one rule says of one input. `remedy`: what to do about it, "" where nothing is to be done."""

    outcome: Outcome
    message: str
    remedy: str = ""


def ok(message: str) -> Answer:
    """Nothing stands against it."""
    return Answer(Outcome.OK, message)


def warn(message: str, remedy: str = "") -> Answer:
    """It may be done, but one should know this."""
    return Answer(Outcome.WARN, message, remedy)


def block(message: str, remedy: str) -> Answer:
    """It must not be done."""
    return Answer(Outcome.BLOCK, message, remedy)


def unknown(message: str, remedy: str) -> Answer:
    """Nobody can tell, so it is not done."""
    return Answer(Outcome.UNKNOWN, message, remedy)


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer with the rule it comes from. `source`: where the rule stands written. `is_advisory`: its unknown refuses nothing."""

    rule_id: str
    outcome: Outcome
    message: str
    remedy: str
    source: str
    is_advisory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`demand`: what it asks for, as one reads it in a table: the docstring of its function.

    One id may have a part about the source and one about the destination or the pair.
    """

    id: str
    about: About
    demand: str
    source: str
    is_advisory: bool = False

    def finding(self, answer: Answer) -> Finding:
        """The answer, with all that is known of the rule."""
        return Finding(self.id, answer.outcome, answer.message, answer.remedy, self.source, self.is_advisory)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRule(Rule):
    check: Callable[[World, SourceFacts], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRule(Rule):
    check: Callable[[World, TapFacts], Answer]


def _itself(world: World, taps: Sequence[TapFacts]) -> World:
    return world


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRule(Rule):
    """Sees only what its two lenses take from a source and from a TAP, and is asked once for each distinct pair of these.

    `prepare` makes what the lenses and the check look into, once a judgement; without it that is the world.
    """

    of_source: Callable[[Any, SourceFacts], Hashable]
    of_tap: Callable[[Any, TapFacts], Hashable]
    check: Callable[[Any, Any, Any], Answer]
    prepare: Callable[[World, Sequence[TapFacts]], Any] = _itself


def source_rule(id: str, *, source: str, is_advisory: bool = False) -> Callable[[Callable[[World, SourceFacts], Answer]], SourceRule]:
    """Make the function below a rule about the NIC alone."""

    def register(check: Callable[[World, SourceFacts], Answer]) -> SourceRule:
        return SourceRule(
            id=id, about=About.SOURCE, demand=inspect.cleandoc(check.__doc__ or ""), source=source, is_advisory=is_advisory, check=check
        )

    return register


def destination_rule(id: str, *, source: str, is_advisory: bool = False) -> Callable[[Callable[[World, TapFacts], Answer]], DestinationRule]:
    """Make the function below a rule about the TAP and its destination alone."""

    def register(check: Callable[[World, TapFacts], Answer]) -> DestinationRule:
        return DestinationRule(
            id=id, about=About.DESTINATION, demand=inspect.cleandoc(check.__doc__ or ""), source=source, is_advisory=is_advisory, check=check
        )

    return register


def pair_rule(
    id: str,
    *,
    source: str,
    of_source: Callable[[Any, SourceFacts], Hashable],
    of_tap: Callable[[Any, TapFacts], Hashable],
    prepare: Callable[[World, Sequence[TapFacts]], Any] = _itself,
    is_advisory: bool = False,
) -> Callable[[Callable[[Any, Any, Any], Answer]], PairRule]:
    """Make the function below a rule about a NIC and a TAP together; see PairRule."""

    def register(check: Callable[[Any, Any, Any], Answer]) -> PairRule:
        return PairRule(
            id=id, about=About.PAIR, demand=inspect.cleandoc(check.__doc__ or ""), source=source, is_advisory=is_advisory,
            of_source=of_source, of_tap=of_tap, prepare=prepare, check=check,
        )  # fmt: skip

    return register
