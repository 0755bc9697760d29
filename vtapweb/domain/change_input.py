"""What somebody typed for a change, checked: every problem at once, each under the name of its field, and nothing typed is lost.

Rule 1: nothing here asks whether a NIC or a TAP exists; that is for the planner. Rule 2: a field that an action does not have is a problem, not
ignored: a pace that paces nothing, or a destination that nobody reads, would mislead.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from vtapweb.domain.arm_id import ArmIdError, arm_key, parse
from vtapweb.domain.arm_request import destination_field

ACTIONS: Final = ("tap", "untap", "move", "create_tap", "update_tap_tags", "delete_tap")
MAX_NICS: Final = 2_000
REASON_LENGTH: Final = 2_000
TICKET_LENGTH: Final = 200
FIRST_DEFAULT: Final = 1
WAVE_DEFAULT: Final = 5
WAVE_MAX: Final = 50
SETTLE_MAX_S: Final = 3_600

# What each action needs and may have besides; reason, ticket, window and pace go with every one.
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "tap": ("nics", "tap"),
    "untap": (),
    "move": ("nics", "tap"),
    "create_tap": ("name", "resource_group", "destination"),
    "update_tap_tags": ("tap",),
    "delete_tap": ("tap",),
}
_MAY_HAVE: Final[Mapping[str, tuple[str, ...]]] = {
    "tap": ("expires_at",),
    "untap": ("nics", "tap"),
    "move": ("expires_at",),
    "create_tap": ("tags", "nics", "expires_at"),
    "update_tap_tags": ("tags",),
    "delete_tap": (),
}
_OWN_FIELDS: Final = ("nics", "tap", "name", "resource_group", "destination", "tags", "expires_at")
_WORDS: Final = {
    "nics": "at least one NIC",
    "tap": "a TAP",
    "name": "a name for the TAP",
    "resource_group": "the resource group that shall hold the TAP",
    "destination": "the collector: a NIC's ipConfiguration or an internal load balancer's frontend",
}
# Azure's naming rules for network resources and resource groups; learn.microsoft.com "Naming rules and restrictions for Azure resources".
_TAP_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?")
_GROUP_NAME: Final = re.compile(r"[\w.()-]{0,89}[\w()-]")
# Limits of tags on a resource; learn.microsoft.com "Use tags to organize your Azure resources", Limitations.
_TAG_FORBIDDEN: Final = "<>%&\\?/"
_TAGS_MAX, _TAG_NAME_MAX, _TAG_VALUE_MAX = 50, 512, 256
_TAG_RESERVED: Final = ("azure", "windows", "microsoft")


@dataclass(frozen=True, slots=True)
class Draft:
    """A change as it was typed. `nics`, `tap` and `destination` are ARM ids; `window` is "" for now, the name of a change window, or
    {"opens_at", "closes_at", "zone"}; times are ISO 8601, those without an offset are told in the window's zone (without one: UTC)."""

    action: str
    nics: tuple[str, ...] = ()
    tap: str = ""
    name: str = ""
    resource_group: str = ""
    destination: str = ""
    tags: Mapping[str, str] | None = None
    reason: str = ""
    ticket: str = ""
    expires_at: str = ""
    window: str | Mapping[str, Any] = ""
    first: Any = None
    wave: Any = None
    settle_s: Any = None
    keep_apart: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """When requests may be sent: from `opens_at` until before `closes_at`. `zone` is for telling it."""

    opens_at: datetime
    closes_at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A checked draft. `nics` without repetitions, in their order; `window_name` where a named one is wanted, which the planner looks up."""

    action: str
    nics: tuple[str, ...]
    tap: str
    name: str
    resource_group: str
    destination: str
    tags: dict[str, str]
    reason: str
    ticket: str
    expires_at: datetime | None
    window: Window | None
    window_name: str
    first: int
    wave: int
    settle_s: int
    keep_apart: str


@dataclass(slots=True)
class Problems:
    """What is wrong, by the field's name."""

    by_field: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, sentence: str) -> None:
        sentences = self.by_field.setdefault(name, [])
        if sentence not in sentences:
            sentences.append(sentence)

    def __bool__(self) -> bool:
        return bool(self.by_field)


def check(draft: Draft, *, now: datetime, settle_default_s: int, is_whole: bool = True) -> tuple[Wish, Problems]:
    """The wish and everything that is wrong with it. A wish with problems is only good for being shown again.

    Without `is_whole` what the change is about comes from elsewhere (an undo, a retry): only reason, ticket, window and pace are asked for.
    """
    problems = Problems()
    if not is_whole:
        pass
    elif draft.action not in ACTIONS:
        problems.add("action", f"{draft.action[:40]!r} is no action; there are {', '.join(ACTIONS)}.")
    else:
        _check_fields(draft, problems)
    window, window_name = _window(draft, now, problems)
    zone = window.zone if window else "UTC"
    wish = Wish(
        action=draft.action,
        nics=_nics(draft, problems),
        tap=_arm_id("tap", draft.tap, "microsoft.network/virtualnetworktaps", "a TAP", problems),
        name=_name(draft, problems),
        resource_group=_resource_group(draft, problems),
        destination=_destination(draft, problems),
        tags=_tags(draft, problems),
        reason=_reason(draft, problems),
        ticket=_ticket(draft, problems),
        expires_at=_expiry(draft, now, zone, window, problems),
        window=window,
        window_name=window_name,
        first=_number("pace.first", draft.first, FIRST_DEFAULT, 1, WAVE_MAX, problems),
        wave=_number("pace.wave", draft.wave, WAVE_DEFAULT, 1, WAVE_MAX, problems),
        settle_s=_number("pace.settle_s", draft.settle_s, settle_default_s, 0, SETTLE_MAX_S, problems),
        keep_apart=_keep_apart(draft, problems),
    )
    return wish, problems


def _check_fields(draft: Draft, problems: Problems) -> None:
    needs, may_have = _NEEDS[draft.action], _MAY_HAVE[draft.action]
    for name in needs:
        if not getattr(draft, name):
            problems.add(name, f"{draft.action} needs {_WORDS[name]}.")
    if draft.action == "untap" and not (draft.nics or draft.tap):
        problems.add("nics", "untap needs at least one NIC, or a TAP whose mirrors shall all end.")
    if draft.action == "update_tap_tags" and draft.tags is None:
        problems.add("tags", "update_tap_tags needs the tags the TAP shall have; {} takes all away.")
    for name in _OWN_FIELDS:
        if name not in (*needs, *may_have) and getattr(draft, name):
            problems.add(name, f"{draft.action} has no `{name}`.")


def _nics(draft: Draft, problems: Problems) -> tuple[str, ...]:
    once: dict[str, str] = {}
    wrong = 0
    for text in draft.nics:
        if _type_of(text) == "microsoft.network/networkinterfaces":
            once.setdefault(arm_key(text), text.strip())
        else:
            wrong += 1
            if wrong <= 5:
                problems.add("nics", f"{text[:200]!r} is no NIC's ARM id.")
    if wrong > 5:
        problems.add("nics", f"{wrong - 5} more are none.")
    if len(once) > MAX_NICS:
        problems.add("nics", f"{len(once):,} NICs are too many for one change; at most {MAX_NICS:,}.")
    return tuple(once.values())


def _type_of(text: str) -> str:
    try:
        return parse(text).resource_type
    except ArmIdError:
        return ""


def _arm_id(name: str, text: str, wanted: str, words: str, problems: Problems) -> str:
    if text and _type_of(text) != wanted:
        problems.add(name, f"{text[:200]!r} is not the ARM id of {words}.")
    return text.strip()


def _name(draft: Draft, problems: Problems) -> str:
    name = draft.name.strip()
    if name and not _TAP_NAME.fullmatch(name):
        problems.add(
            "name",
            f"{name[:100]!r} is no name for a TAP: 1 to 80 letters, digits, “_”, “.” and “-”, a letter or digit first, one of them or “_” last.",
        )
    return name


def _resource_group(draft: Draft, problems: Problems) -> str:
    """A group's name, or its ARM id where it lies in another subscription than the destination."""
    group = draft.resource_group.strip()
    name = group
    if group.startswith("/"):
        try:
            parsed = parse(group)
        except ArmIdError:
            parsed = None
        name = parsed.resource_group if parsed and not parsed.types else ""
    if group and not _GROUP_NAME.fullmatch(name):
        problems.add(
            "resource_group",
            f"{group[:100]!r} is neither a resource group's name (letters, digits, “_”, “-”, “.”, “(”, “)”, no “.” at its end) nor its id.",
        )
    return group


def _destination(draft: Draft, problems: Problems) -> str:
    destination = draft.destination.strip()
    if destination:
        try:
            destination_field(destination)
        except ValueError:
            problems.add("destination", f"{destination[:200]!r} is not the ARM id of a NIC's ipConfiguration or of a load balancer's frontend.")
    return destination


def _tags(draft: Draft, problems: Problems) -> dict[str, str]:
    tags = dict(draft.tags or {})
    if len(tags) > _TAGS_MAX:
        problems.add("tags", f"{len(tags)} tags are too many; Azure takes {_TAGS_MAX}.")
    if len({name.lower() for name in tags}) < len(tags):
        problems.add("tags", "Two tags have one name: Azure does not tell upper from lower case there.")
    for name, value in tags.items():
        if not name.strip() or len(name) > _TAG_NAME_MAX or set(name) & set(_TAG_FORBIDDEN) or not name.isprintable():
            problems.add("tags", f"{name[:60]!r} is no name of a tag: 1 to {_TAG_NAME_MAX} characters, none of {' '.join(_TAG_FORBIDDEN)}.")
        elif name.lower().startswith(_TAG_RESERVED):
            problems.add("tags", f"{name[:60]!r} begins with a word that Azure keeps for itself.")
        if len(value) > _TAG_VALUE_MAX:
            problems.add("tags", f"The value of {name[:60]!r} has {len(value)} characters; Azure takes {_TAG_VALUE_MAX}.")
    return tags


def _reason(draft: Draft, problems: Problems) -> str:
    reason = draft.reason.strip()
    if not reason:
        problems.add("reason", "Say why: the record keeps it with every mirror.")
    if len(reason) > REASON_LENGTH:
        problems.add("reason", f"The reason has {len(reason):,} characters; at most {REASON_LENGTH:,}.")
    return reason


def _ticket(draft: Draft, problems: Problems) -> str:
    ticket = draft.ticket.strip()
    if len(ticket) > TICKET_LENGTH:
        problems.add("ticket", f"The ticket has {len(ticket)} characters; at most {TICKET_LENGTH}.")
    return ticket


def _keep_apart(draft: Draft, problems: Problems) -> str:
    name = draft.keep_apart.strip()
    if len(name) > _TAG_NAME_MAX:
        problems.add("pace.keep_apart", f"A tag's name has at most {_TAG_NAME_MAX} characters.")
    return name


def _number(name: str, given: Any, default: int, least: int, most: int, problems: Problems) -> int:
    if given is None or given == "":
        return default
    try:
        number = int(str(given).strip()) if not isinstance(given, bool) else None
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        problems.add(name, f"{str(given)[:20]!r} is not a whole number from {least} to {most}.")
        return default
    return number


# -- times


def instant(text: str, zone: str) -> datetime:
    """The instant of an ISO 8601 text, in UTC; one without an offset is told in `zone`.

    Raises ValueError with a sentence for a text that is no time, or a local time that does not exist there (clocks go forward). Of a local time
    that exists twice (clocks go back) it is the first.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time; write it like 2026-12-05T22:00:00Z.") from None
    if at.tzinfo is None:
        local = at.replace(tzinfo=ZoneInfo(zone))
        if local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != at:
            raise ValueError(f"{text.strip()} does not exist in {zone}: the clocks go forward then.")
        at = local
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} is out of range.") from None


def _expiry(draft: Draft, now: datetime, zone: str, window: Window | None, problems: Problems) -> datetime | None:
    if not draft.expires_at:
        return None
    try:
        at = instant(draft.expires_at, zone)
    except ValueError as error:
        problems.add("expires_at", str(error))
        return None
    if at <= now:
        problems.add("expires_at", "The expiry lies in the past.")
    elif window and at <= window.opens_at:
        problems.add("expires_at", "The mirrors would expire before the window opens.")
    return at


def _window(draft: Draft, now: datetime, problems: Problems) -> tuple[Window | None, str]:
    """A window of its own, or the name of one that an admin made."""
    wanted = draft.window
    if isinstance(wanted, str):
        name = wanted.strip()
        return None, "" if name.lower() == "now" else name
    unknown = set(wanted) - {"opens_at", "closes_at", "zone"}
    if unknown:
        problems.add("window", f"A window has opens_at, closes_at and zone, not {', '.join(sorted(str(one)[:40] for one in unknown))}.")
    zone = str(wanted.get("zone") or "UTC")
    if zone not in available_timezones():
        problems.add("window", f"{zone[:60]!r} is no time zone; write it like Europe/London.")
        return None, ""
    ends: list[datetime] = []
    for name in ("opens_at", "closes_at"):
        try:
            ends.append(instant(str(wanted.get(name) or ""), zone))
        except ValueError as error:
            problems.add("window", f"{name}: {error}")
    if len(ends) < 2:
        return None, ""
    opens_at, closes_at = ends
    if closes_at <= opens_at:
        problems.add("window", "The window closes before it opens.")
    elif closes_at <= now:
        problems.add("window", "The window has closed already.")
    return Window(opens_at, closes_at, zone), ""
