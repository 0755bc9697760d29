"""What people paste into a find field: names, IP addresses, prefixes, MAC addresses, ARM ids; one of them, or hundreds in any mixture.

Rule 1: nothing pasted is dropped; every term keeps its place and its spelling. Rule 2: a term's kind follows from its text alone;
whether something of that description exists is for `vtapweb.inventory.search` to say. Rule 3: foreign text never raises.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from vtapweb.domain.arm_id import arm_key

# Names of Azure's network resources hold letters, digits, "_", "." and "-": none of these parts them.
_SEPARATORS = re.compile(r"[\s,;]+")
_QUOTES = "\"'`“”‘’<>()[]{}"
# 00-0D-3A-1B-2C-3D, 00:0d:3a:1b:2c:3d, 000d.3a1b.2c3d, 000d-3a1b-2c3d; twelve bare digits count only where they cannot be a mere number
_MAC_FORMS = re.compile(r"(?:[0-9a-f]{2}([-:]))(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{4}([.-])[0-9a-f]{4}\2[0-9a-f]{4}|[0-9a-f]{12}")


class TermKind(StrEnum):
    NAME = "name"
    ADDRESS = "address"
    PREFIX = "prefix"
    MAC = "mac"
    ARM_ID = "arm_id"


@dataclass(frozen=True, slots=True)
class Term:
    """One term. `value` is what to compare by: the lower-case name, 12 hex digits of a MAC, the key of an ARM id, the hex of an address;
    of a prefix the first address, and `last` the last one. Address hex is "4" + 8 or "6" + 32 digits, so a prefix is a range of it."""

    kind: TermKind
    text: str
    value: str
    last: str = ""


def address_hex(address: IPv4Address | IPv6Address) -> str:
    """ "4" + 8 hex digits or "6" + 32: in the order of addresses, IPv4 before IPv6. An IPv4 address inside IPv6 (::ffff:…) counts as IPv4."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return f"{address.version}{int(address):0{8 if address.version == 4 else 32}x}"


def _prefix(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def classify(text: str) -> Term:
    """The kind of one term. Quotation marks and brackets around it are looked through, a zone index (fe80::1%eth0) is left off."""
    bare = text.strip().strip(_QUOTES) or text.strip()
    folded = bare.lower()
    if folded.startswith("/subscriptions/"):
        return Term(TermKind.ARM_ID, text, arm_key(bare))
    mac = _MAC_FORMS.fullmatch(folded)
    if mac and (mac[1] or mac[2] or not folded.isdigit()):
        return Term(TermKind.MAC, text, re.sub(r"[^0-9a-f]", "", folded))
    address = _address(bare.split("%", 1)[0])
    if address is not None:
        return Term(TermKind.ADDRESS, text, address_hex(address))
    network = _prefix(bare) if "/" in bare else None
    if network is not None:
        return Term(TermKind.PREFIX, text, address_hex(network.network_address), address_hex(network.broadcast_address))
    return Term(TermKind.NAME, text, folded)


def split(pasted: str) -> list[str]:
    """The terms of a pasted text in their order, parted by line ends, blanks, tabs, commas and semicolons. Repeated ones stay."""
    return [part for part in _SEPARATORS.split(pasted) if part]


def terms(pasted: str) -> list[Term]:
    """`classify` of each part of `split`."""
    return [classify(part) for part in split(pasted)]
