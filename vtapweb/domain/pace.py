"""How fast a change goes: which steps go together, and how long it takes.

The first wave is small, so that a mistake meets one VM and not fifty. No wave holds two items of one group (an availability set, a backend pool,
a tag's value): what backs each other up never loses its network together.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

# How long one request is assumed to take, from sending to verified, when nothing has been measured yet. In 2019's recording of a real ARM the
# first poll came after 10 s and was the last; a VM may be cut off for up to 60 s.
STEP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Paced:
    """Something to be done, by its key, and the groups it must not share a wave in."""

    key: str
    groups: frozenset[str] = frozenset()


def plan_waves(items: Sequence[Paced], *, first: int, wave: int) -> tuple[tuple[str, ...], ...]:
    """The keys of `items` in waves: at most `first` in the first one, then at most `wave`, never two that share a group.

    Deterministic. The first wave takes the first items in their order; later ones take members of the largest groups first, because those decide
    how many waves there are, and keep the items' order besides. Raises ValueError when `first` or `wave` is below 1, or a key comes twice.
    """
    if first < 1 or wave < 1:
        raise ValueError("A wave has one item at least.")
    if len({one.key for one in items}) != len(items):
        raise ValueError("An item comes twice.")
    waves = []
    rest = list(items)
    if rest:
        opening = _fill(((one,) for one in rest), first)
        waves.append(tuple(one.key for one in opening))
        taken = {one.key for one in opening}
        rest = [one for one in rest if one.key not in taken]
    sizes = Counter(group for one in rest for group in one.groups)
    position = {one.key: number for number, one in enumerate(items)}
    # Items with the same groups are interchangeable, so a wave looks at each such class once instead of at each item.
    classes: dict[frozenset[str], list[Paced]] = {}
    for one in rest:
        classes.setdefault(one.groups, []).append(one)
    for members in classes.values():
        members.reverse()
    order = sorted(classes, key=lambda groups: (-max((sizes[one] for one in groups), default=0), position[classes[groups][-1].key]))
    while order:
        chosen = _fill(((members[-1],) if groups else tuple(reversed(members[-wave:])) for groups in order if (members := classes[groups])), wave)
        for one in chosen:
            classes[one.groups].pop()
        waves.append(tuple(sorted((one.key for one in chosen), key=position.__getitem__)))
        order = [groups for groups in order if classes[groups]]
    return tuple(waves)


def _fill(offers: Iterable[Sequence[Paced]], size: int) -> list[Paced]:
    chosen: list[Paced] = []
    used: set[str] = set()
    for offer in offers:
        for one in offer:
            if len(chosen) == size:
                return chosen
            if used.isdisjoint(one.groups):
                chosen.append(one)
                used |= one.groups
    return chosen


def duration_s(waves: int, *, settle_s: float, steps_in_a_row: int = 1, step_s: float = STEP_S) -> float:
    """About how long that many waves take, in seconds, from the first request to the last verified one.

    `steps_in_a_row`: requests that one item takes one after the other (a move: 2).
    """
    return waves * steps_in_a_row * step_s + max(waves - 1, 0) * settle_s
