"""The sentences about alarms and the health of collectors: what happened, since when, what it means. Knows values, no database and no clock.

Every sentence with a span takes `now`, so that the same alarm reads right on a wall, in a table and in a message.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vtapweb.domain.causes import SILENT_RULES, Cause, Hop, HopState, Subject
from vtapweb.domain.health import CollectorState
from vtapweb.traffic.words import beyond_words, rate_words
from vtapweb.web.text import plural, span

COUNTERS = {
    "rx_dropped": "the NIC", "rx_missed": "the NIC", "rx_fifo": "the NIC", "softnet_dropped": "the kernel", "udp_rcvbuf_errors": "the tool's socket",
    "sock_drops": "the tool's socket", "tool_drops": "the tool",
}  # fmt: skip


def clock(at: datetime) -> str:
    """03:12:08, in UTC."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def share(value: float | None) -> str:
    """0.0123 → "1.2 %", 1.2 → "120 %"."""
    return "an unknown share" if value is None else f"{100 * value:.0f} %" if value >= 0.995 else f"{100 * value:.2g} %"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def facts_of(cause: Cause) -> dict[str, Any]:
    """The plain values that the sentences of a cause need, as they are stored with its alarm."""
    main, hop = cause.main, cause.hop
    sources = cause.sources
    facts: dict[str, Any] = {key: value for key, value in {**main.facts, **cause.facts}.items() if key != "sources"}
    facts |= {
        "rule": main.rule_id, "since": _since(cause).isoformat(),
        "name": main.name, "collector": main.collector_name, "way": main.way_name, "findings": len(cause.findings), "sources": len(sources),
        "collectors": sorted({one.collector_name for one in cause.findings if one.collector_name}),
    }  # fmt: skip
    if hop is not None:
        facts["hop"] = {"words": hop.words, "since": hop.since.isoformat() if hop.since else None, "name": hop.name, "kind": hop.kind.value}
    return facts


def _since(cause: Cause) -> datetime:
    """Since when what the sentence says is so: by the findings that say it, not by others of the same alarm, which may be older."""
    main = cause.main
    if main.rule_id in {"H1", "H2"}:
        return main.since
    alike = SILENT_RULES if main.rule_id in SILENT_RULES else {main.rule_id}
    return min(one.since for one in cause.findings if one.rule_id in alike)


def title(subject: str, facts: Mapping[str, Any]) -> str:
    """What an alarm is about, in a few words."""
    match subject:
        case Subject.INTAKE:
            return "vtapweb's own intake"
        case Subject.HOP:
            return str(facts["hop"]["name"])
        case Subject.SOURCES:
            return f"{plural(int(facts['sources']), 'source')} in {facts['way'] or 'one VNet'}"
        case Subject.MEMBER:
            return f"{facts['name']} of {facts['collector']}"
    return str(facts["name"])


def sentence(subject: str, facts: Mapping[str, Any], *, now: datetime) -> str:
    """The whole sentence about an alarm, as it is at `now`."""
    for_span = span(max(0.0, (now - datetime.fromisoformat(facts["since"])).total_seconds()))
    rule, name, collector = facts["rule"], facts["name"], facts["collector"]
    if subject == Subject.INTAKE:
        return _intake(facts, for_span)
    hop = facts.get("hop")
    if hop is not None and rule not in {"H1", "H2"}:
        return f"{capital(hop['words'])}{_seen_since(hop)}. {_affected(facts)}"
    if subject == Subject.SOURCES:
        means = "Each was mirrored and its VM runs; no hop that we can see is broken."
        return f"{plural(int(facts['sources']), 'source')} in {facts['way']}: nothing has reached {collector} for {for_span}. {means}"
    match rule:
        case "H1" if subject == Subject.MEMBER:
            return f"{name}: no report for {for_span}. The other members of {collector} report; what it received is not counted."
        case "H1":
            why = f" {capital(hop['words'])}{_seen_since(hop)}." if hop else " Traffic may still be arriving; we can't see it."
            return f"{collector}: no report for {for_span}.{why}"
        case "H2":
            became = f" {_became(hop)}." if hop else ""
            return f"{collector}: reporting, but no mirrored traffic for {for_span}. {plural(facts.get('expected', 0), 'source')} expected.{became}"
        case "H3" if facts.get("was_seen"):
            return f"{name}: nothing has reached {collector} for {for_span}. It is mirrored and its VM runs; no hop that we can see is broken."
        case "H3":
            return (
                f"{name}: mirrored to {collector} for {for_span}, and not a packet has come from it. Its VM runs; no hop that we can see is broken."
            )
        case "H4":
            return f"{name}: source stopped. It sent steadily to {collector}; nothing for {for_span}."
        case "H5":
            what = plural(int(facts["sources"]), "address", "addresses")
            return f"{collector}: packets from {what} that no TAP configuration explains, {name} first. Somebody may mirror outside of what we read."
        case "H6":
            return f"{collector}: two NICs have the address {name}, so its traffic is shown for neither."
        case "H7":
            return f"{plural(int(facts['sources']), 'source')} of {collector} with one direction only: {name} lacks what it {facts['missing']}."
        case "H8":
            used = facts["wire_bits_per_s"] / facts["capacity_bits_per_s"] if facts.get("wire_bits_per_s") else None
            of = f"{rate_words(facts['wire_bits_per_s'])} of {rate_words(facts['capacity_bits_per_s'])}, " if used is not None else ""
            return f"{collector}: {of}{share(used)} of its capacity."
        case "H9":
            where = ", ".join(sorted({COUNTERS.get(one, one) for one in facts.get("drops", {})}))
            lost = f"{share(facts['drop_share'])} of packets lost" if facts.get("drop_share") is not None else "packets are lost"
            return f"{collector}: dropping. {capital(lost)}{f', by {where}' if where else ''}; what it shows is too little."
        case "H10":
            return f"{name} of {collector}: {share(facts['share'])} of the packets meet no open port. Does the tool run?"
        case "H11" if facts.get("beyond"):
            untold = beyond_words(facts["beyond"], facts["told_apart"])
            return f"{name} of {collector}: {share(facts['share'])} of the packets are counted for no source. {untold}"
        case "H11":
            return f"{name} of {collector}: {share(facts['share'])} of the packets are counted for no source. Its set of sources may be full."
        case "H12":
            return (
                f"{name} of {collector}: packets are merged before they are counted (GRO). Packets/s come from the NIC; bytes are some percent low."
            )
        case "H13":
            return f"{name} of {collector}: {share(facts['share'])} of its samples are lost on their way to us. Rates are means over longer times."
        case "H14":
            return f"{name} of {collector}: its agent started {facts['boots']} times in 10 minutes."
    return f"{name}: {rule}."


def _intake(facts: Mapping[str, Any], for_span: str) -> str:
    if facts.get("why") == "meter":
        return f"No live numbers for {for_span}: vtapweb's meter does not run. Your collectors may be fine."
    within = f" within {max(1, round(facts['spread_s']))} s" if facts.get("spread_s") is not None else ""
    return f"All {len(facts['collectors'])} collectors went quiet{within}. Check vtapweb's own intake first. Your collectors may be fine."


def _affected(facts: Mapping[str, Any]) -> str:
    number = int(facts["sources"])
    return f"{plural(number, 'source')} affected." if number else f"{', '.join(facts['collectors'])} affected."


def _seen_since(hop: Mapping[str, Any]) -> str:
    return f", seen since {datetime.fromisoformat(hop['since']).astimezone(UTC):%H:%M} UTC" if hop.get("since") else ""


def _became(hop: Mapping[str, Any]) -> str:
    """ "03:11 the peering a ↔ b is Disconnected on b's side": what is beside it, never called the reason."""
    at = f"{datetime.fromisoformat(hop['since']).astimezone(UTC):%H:%M} " if hop.get("since") else ""
    return f"{at}{hop['words']}" if at else capital(str(hop["words"]))


def taken_by(owner: str) -> str:
    """The end of an alarm's line on a wall."""
    return f"{owner} has it" if owner else "nobody has taken it"


def state_sentence(name: str, state: CollectorState, facts: Mapping[str, Any]) -> str:
    """One sentence about a collector's state, without spans: it is stored."""
    heard = f"{clock(datetime.fromisoformat(facts['heard']))} UTC" if facts.get("heard") else ""
    load = ""
    if facts.get("wire_bits_per_s") is not None and facts.get("capacity_bits_per_s"):
        load = f" of {rate_words(facts['capacity_bits_per_s'])}"
    match state:
        case CollectorState.OK:
            return f"{name} reports." + ("" if facts.get("capacity_bits_per_s") else " Its capacity is not known, so nearness to it is not judged.")
        case CollectorState.STARTING:
            return f"{name}: we have only just begun to listen."
        case CollectorState.UNKNOWN if facts.get("why") == "meter":
            return f"{name}: no live numbers, vtapweb's meter does not run."
        case CollectorState.UNKNOWN if facts.get("why") == "token":
            return f"{name}: has a token, and nothing has ever been heard of it."
        case CollectorState.UNKNOWN:
            return f"{name}: no source of numbers is set up for it."
        case CollectorState.MAINTENANCE:
            return f"{name}: maintenance. Its own health raises no alarm."
        case CollectorState.NEAR:
            return f"{name}: over 75 %{load}."
        case CollectorState.OVER:
            return f"{name}: over 95 %{load}."
        case CollectorState.DEGRADED:
            return f"{name}: {facts['missing']} of {plural(facts['members'], 'member')} without a report; the others carry on."
        case CollectorState.STALE:
            return f"{name}: last report {heard}."
        case CollectorState.DROPPING:
            return f"{name}: dropping packets."
        case CollectorState.EMPTY:
            return f"{name}: reporting, but no mirrored traffic."
    return f"{name}: no report since {heard}. Traffic may still be arriving; we can't see it."


def hop_row(hop: Hop) -> dict[str, Any]:
    """A hop as it is stored with an alarm."""
    return {
        "kind": hop.kind.value, "key": hop.key, "name": hop.name, "state": hop.state.value, "words": hop.words,
        "subscription_id": hop.subscription_id,
        "since": hop.since.isoformat() if hop.since else None, "seen_at": hop.seen_at.isoformat() if hop.seen_at else None,
    }  # fmt: skip


GLYPHS = {HopState.OK: "●", HopState.BROKEN: "⬢", HopState.UNKNOWN: "◌"}
