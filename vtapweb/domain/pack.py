"""Boxes on a plane: packing many, finding a free place for one. Whole world units, deterministic, nothing is random.

Rule 1: what `pack` and `free_place` return never overlaps. Rule 2: equal input, equal output, on every machine.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in world units; y grows downwards."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h

    def moved(self, dx: int, dy: int) -> "Box":
        return Box(self.x + dx, self.y + dy, self.w, self.h)

    def meets(self, other: "Box", gap: int = 0) -> bool:
        """Whether the two come nearer to each other than `gap`."""
        return self.x < other.right + gap and other.x < self.right + gap and self.y < other.bottom + gap and other.y < self.bottom + gap

    def holds(self, other: "Box") -> bool:
        return self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom


Size = tuple[int, int]


def hull(boxes: Iterable[Box]) -> Box:
    """The smallest box around all of them; Box(0, 0, 0, 0) around none."""
    all_of_them = list(boxes)
    if not all_of_them:
        return Box(0, 0, 0, 0)
    x, y = min(box.x for box in all_of_them), min(box.y for box in all_of_them)
    return Box(x, y, max(box.right for box in all_of_them) - x, max(box.bottom for box in all_of_them) - y)


def pack(sizes: Sequence[Size], width: int, gap: int) -> list[Box]:
    """Place the boxes in their order, each at the lowest place of the skyline it fits (then the leftmost), no wider than `width`.

    A box wider than `width` widens the whole. The first box stands at 0, 0.
    """
    width = max([width, *(w for w, _ in sizes)])
    skyline: list[tuple[int, int, int]] = [(0, 0, width + gap)]  # (x, y, run), from left to right
    placed = []
    for w, h in sizes:
        x, y = _lowest(skyline, w + gap, width + gap)
        placed.append(Box(x, y, w, h))
        skyline = _raised(skyline, x, w + gap, y + h + gap)
    return placed


def _lowest(skyline: list[tuple[int, int, int]], w: int, width: int) -> tuple[int, int]:
    best = (0, max(y for _, y, _ in skyline))
    for start, (x, _, _) in enumerate(skyline):
        if x + w > width:
            break
        y, covered = 0, 0
        for _, run_y, run in skyline[start:]:
            y, covered = max(y, run_y), covered + run
            if covered >= w:
                break
        if (y, x) < (best[1], best[0]):
            best = (x, y)
    return best


def _raised(skyline: list[tuple[int, int, int]], x: int, w: int, y: int) -> list[tuple[int, int, int]]:
    result: list[tuple[int, int, int]] = []
    for run_x, run_y, run in skyline:
        run_right = run_x + run
        if run_x < x:
            result.append((run_x, run_y, min(run_right, x) - run_x))
        if run_x <= x < run_right:
            result.append((x, y, w))
        if run_right > x + w:
            left = max(run_x, x + w)
            result.append((left, run_y, run_right - left))
    return [run for run in result if run[2] > 0]


def pack_to_shape(sizes: Sequence[Size], shape: float, gap: int) -> list[Box]:
    """Pack with the width that makes the whole fit best into a frame of `shape` (width : height)."""
    if not sizes:
        return []
    area = sum((w + gap) * (h + gap) for w, h in sizes)
    ideal = (area * shape) ** 0.5
    widths = {max(w for w, _ in sizes), *(int(ideal * factor) for factor in (0.8, 0.9, 1.0, 1.1, 1.2, 1.35))}
    if len(sizes) <= 6:
        running = 0
        for w, _ in sizes:
            running += w + gap
            widths.add(running - gap)
    candidates = [pack(sizes, width, gap) for width in sorted(widths)]
    return min(candidates, key=lambda boxes: frame_size(hull(boxes), shape))


def frame_size(whole: Box, shape: float) -> float:
    """The height of the smallest frame of `shape` (width : height) around a box: less is better."""
    return max(whole.w / shape, float(whole.h))


def free_place(size: Size, bounds: Box, taken: Sequence[Box], gap: int, near: tuple[int, int] | None = None) -> Box | None:
    """A place for one more box inside `bounds`, at least `gap` from all that is `taken`; None where there is none.

    The topmost, then leftmost place; or the one whose middle is nearest to the point `near`.
    """
    w, h = size
    xs = sorted({bounds.x, *(box.right + gap for box in taken)})
    ys = sorted({bounds.y, *(box.bottom + gap for box in taken)})
    candidates = [(x, y) for y in ys if y + h <= bounds.bottom for x in xs if bounds.x <= x and x + w <= bounds.right and bounds.y <= y]
    if near is not None:
        px, py = near[0] - w // 2, near[1] - h // 2
        candidates.sort(key=lambda at: ((at[0] - px) ** 2 + (at[1] - py) ** 2, at[1], at[0]))
    for x, y in candidates:
        box = Box(x, y, w, h)
        if not any(box.meets(other, gap) for other in taken):
            return box
    return None
