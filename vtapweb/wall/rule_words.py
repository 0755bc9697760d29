"""What each rule of health means, in words that name nothing of the estate: what visitors read in place of an alarm's sentence."""

from collections.abc import Sequence
from typing import Final

WORDS: Final = {
    "H1": "A collector is not reporting.",
    "H2": "A collector receives no mirrored traffic.",
    "H3": "A mirrored source is silent.",
    "H4": "A source has stopped.",
    "H5": "Packets come that no mirror explains.",
    "H6": "Two sources have the same address.",
    "H7": "A source is seen in one direction only.",
    "H8": "A collector is near its capacity.",
    "H9": "A collector is dropping packets.",
    "H10": "Packets meet no open port.",
    "H11": "Packets are counted for no source.",
    "H12": "Packets are merged before they are counted.",
    "H13": "Samples are lost on their way.",
    "H14": "An agent starts again and again.",
}
HOPS: Final = {
    "vm": "A VM does not run.",
    "tap_configuration": "A mirror is not in place.",
    "peering_of_source": "A peering is broken.",
    "peering_of_collector": "A peering is broken.",
    "peering": "A peering is broken.",
    "tap": "A TAP is not in place.",
    "frontend": "A load balancer is not in place.",
    "rule": "A load balancer has no rule for mirrored traffic.",
    "member": "A machine of a collector does not run.",
    "agent": "An agent does not report.",
    "intake": "Our own intake is in trouble.",
}
SOMETHING: Final = "Something is wrong."


def rule_words(rule_ids: Sequence[str]) -> str:
    """One sentence for the first of these rules, the worst; never empty."""
    return next((WORDS[one] for one in rule_ids if one in WORDS), SOMETHING)


def hop_words(kind: str) -> str:
    return HOPS.get(kind, SOMETHING)
