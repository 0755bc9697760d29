"""The estates by size, and a server of one with its state on disk."""

from collections.abc import Callable
from functools import partial

from vtapweb.simulator import contoso, generated
from vtapweb.simulator.estate import Estate

SIZES = ("S", "M", "L")


def builder_of(size: str) -> Callable[[], Estate]:
    """Makes the estate of a size anew, always the same. Raises ValueError for a size there is none of."""
    if size == "S":
        return contoso.build
    if size not in generated.SHAPES:
        raise ValueError(f"there is no estate {size!r}, only {', '.join(SIZES)}")
    return partial(generated.build, size)
