"""The golden pictures: which ones there are, how they are kept, and how another picture is compared with one.

Kept are 640 px of the longer side (of 4K 960) in 128 colours: large enough for whoever looks through them, and for a label that is gone; beside
them what is written where, in units of the wall. Another major version of Chromium paints type and curves otherwise: then only the words and their
places count.
"""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops

PICTURES: Final = Path(__file__).resolve().parent / "pictures"
WORDS: Final = PICTURES / "words.json"
LONGER_SIDE: Final = 640
COLOURS: Final = 128
# Of 255, over all of a picture: what 128 colours and a machine's own rounding make, and no more.
MOST_MEAN: Final = 1.0
# A pixel is another one when a channel of it is this far off; a label of 20 units covers 0.2 % of a picture.
OTHER_PIXEL: Final = 56
MOST_OTHER: Final = 0.001
# Units that a word may stand elsewhere, in another Chromium and in this one.
MOST_MOVED: Final = 12
VIEWS: Final = ("overview", "map", "collector", "sources", "alarms")


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture. `screen`: 1080p, 4K or portrait."""

    view: str
    size: str
    condition: str
    screen: str
    theme: str = "dark"

    @property
    def name(self) -> str:
        return "-".join([self.view, self.size, self.condition, self.screen, *([self.theme] if self.theme != "dark" else [])])

    @property
    def longer_side(self) -> int:
        """Of what is kept, px: of a picture of 4K half as much again, or nothing of its sharpness would be seen."""
        return LONGER_SIDE * 3 // 2 if self.screen == "4K" else LONGER_SIDE

    @property
    def path(self) -> Path:
        return PICTURES / f"{self.name}.png"


def shots() -> Iterator[Shot]:
    """All that are taken. What shows the same thing twice is left out by these rules:

    * the map and the overview draw the estate: at S, M and L; one collector, sources and alarms are lists: few (S) and many (L);
    * an empty estate has no size, and "lost" is the whole picture without its colours: once for each view and screen, lost at S;
    * visitors see the alarmed estate under other names: at S;
    * 4K has the places of 1080p: each view alarmed at L, where most is drawn, and once in each other condition: healthy at M if the estate is drawn,
      else at S; stale and visitors at S; the overview, which has all parts, alarmed at S and M too;
    * the light theme has the same places: the overview at M on 1080p, healthy, alarmed and stale, and the alarms;
    * a tall screen has its own places, not its own conditions: at S, and at L when it is alarmed; so have lists that are long.
    """
    for view in VIEWS:
        drawn = ("S", "M", "L") if view in {"overview", "map"} else ("S", "L")
        for screen in ("1080p", "portrait"):
            for size in drawn:
                is_whole = size == "S" or (screen == "1080p" and len(drawn) == 3)
                for condition in ("healthy", "alarmed", "stale") if is_whole else ("alarmed",) if size == "L" else ():
                    yield Shot(view, size, condition, screen)
            yield Shot(view, "none", "empty", screen)
            yield Shot(view, "S", "visitors", screen)
            yield Shot(view, "S", "lost", screen)
        for size in ("S", "M", "L") if view == "overview" else ("L",):
            yield Shot(view, size, "alarmed", "4K")
        yield Shot(view, "M" if "M" in drawn else "S", "healthy", "4K")
        yield Shot(view, "S", "stale", "4K")
        yield Shot(view, "none", "empty", "4K")
        yield Shot(view, "S", "visitors", "4K")
    for condition in ("healthy", "alarmed", "stale"):
        yield Shot("overview", "M", condition, "1080p", "light")
    yield Shot("alarms", "S", "alarmed", "1080p", "light")


# Looked at in every run: each view, screen and condition at least once. L is left to --long: to make it takes ten seconds.
SAMPLE: Final = (
    Shot("overview", "S", "alarmed", "1080p"), Shot("overview", "S", "healthy", "portrait"), Shot("map", "M", "alarmed", "1080p"),
    Shot("map", "S", "stale", "portrait"), Shot("collector", "S", "stale", "1080p"), Shot("sources", "S", "visitors", "1080p"),
    Shot("alarms", "S", "lost", "1080p"), Shot("overview", "none", "empty", "1080p"), Shot("sources", "S", "healthy", "4K"),
)  # fmt: skip


def small(png: bytes, longer_side: int) -> Image.Image:
    """A picture as it is compared: so many px of its longer side."""
    full = Image.open(io.BytesIO(png)).convert("RGB")
    scale = longer_side / max(full.size)
    return full.resize((round(full.width * scale), round(full.height * scale)), Image.Resampling.BOX)


def keep(shot: Shot, png: bytes) -> int:
    """Writes a golden picture; returns its octets."""
    few = small(png, shot.longer_side).quantize(
        COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
    )  # without means the few dots of a warning lose their colour
    few.save(shot.path, optimize=True)
    return shot.path.stat().st_size


def kept_words() -> dict[str, Any]:
    """{"chromium": major, "words": {name: [[words, left, top, width, height], …]}}, units of the wall."""
    told: dict[str, Any] = json.loads(WORDS.read_text(encoding="utf-8"))
    return told


def write_words(chromium: int, words: dict[str, list[list[Any]]]) -> None:
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(words[name], ensure_ascii=False, separators=(',', ':'))}" for name in sorted(words))
    WORDS.write_text(f'{{"chromium": {chromium}, "words": {{\n{lines}\n}}}}\n', encoding="utf-8")


def difference(shot: Shot, png: bytes) -> tuple[float, float, Image.Image]:
    """How far a picture is from its golden one: the mean of all channels (of 255), the share of other pixels, and where they are (white)."""
    ours, golden = small(png, shot.longer_side), Image.open(shot.path).convert("RGB")
    if ours.size != golden.size:
        return 255.0, 1.0, ours
    apart = ImageChops.difference(ours, golden)
    pixels = ours.width * ours.height
    mean = sum(value * count for channel in apart.split() for value, count in enumerate(channel.histogram())) / (3 * pixels)
    red, green, blue = apart.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    other = sum(most.histogram()[OTHER_PIXEL:]) / pixels
    return mean, other, most.point([255 if value >= OTHER_PIXEL else 0 for value in range(256)])


def other_words(ours: Iterable[list[Any]], golden: Iterable[list[Any]]) -> list[str]:
    """What is written otherwise, or elsewhere by more than MOST_MOVED units; a sentence each, empty if nothing is."""
    told = []
    here, there = sorted(ours), sorted(golden)  # where a word stands counts, not when the page came to write it
    said_here, said_there = [one[0] for one in here], [one[0] for one in there]
    if said_here != said_there:
        gone = [one for one in said_there if one not in said_here]
        new = [one for one in said_here if one not in said_there]
        return [f"no longer there: {gone[:8]}; new: {new[:8]}" if gone or new else "the same words, more or less often"]
    for one, golden_one in zip(here, there, strict=True):
        if any(abs(a - b) > MOST_MOVED for a, b in zip(one[1:], golden_one[1:], strict=True)):
            told.append(f"{one[0]!r} stands at {one[1:]}, not at {golden_one[1:]}")
    return told
