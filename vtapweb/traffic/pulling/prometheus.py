"""What a Prometheus is asked about a collector, and what its answers come to. Knows no rows.

Rule 1: rates are made by the Prometheus itself, from the raw counters of the table that remote-write uses (ingest/mapping.py) or by an expression of
the operator's own. Rule 2: a step counts once it is SETTLE_S old: VictoriaMetrics hides the newest 30 s, or fills them with what was before.
Rule 3: a step without a value is no point, never 0. Rule 4: only allowed hosts (`outward`), no redirects, a bounded answer; a credential goes out
over TLS or to loopback only.
"""

import base64
import http.client
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings

from vtapweb.traffic.ingest.mapping import INNER_DEVICES, MEANINGS, MEMBERS_MOST, Meaning
from vtapweb.traffic.outward import Gate, NotSentError, RefusedError
from vtapweb.traffic.samples import Origin, Point, Points

SETTLE_S: Final = 35
REACH_STEPS: Final = 10
REACH_MOST_S: Final = 840
LAG_MOST_S: Final = 900.0
TIMEOUT_S: Final = 10.0
OCTETS_MOST: Final = 4 * 1024 * 1024
OCTETS, PACKETS = "rx_bytes", "rx_packets"
DROPS: Final = ("rx_dropped", "rx_fifo", "softnet_dropped", "udp_rcvbuf_errors", "tool_drops")
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"'
_SELECTOR = re.compile(rf"\s*{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*,?\s*")


@dataclass(frozen=True, slots=True)
class Question:
    """One Prometheus and what it is asked. `member` "" makes a member of every label `instance`, else all is one machine's."""

    collector: str
    base_url: str
    interval_s: int
    selector: str = ""
    octets_query: str = ""
    packets_query: str = ""
    credential: str = ""
    member: str = ""
    nic_key: str = ""


class AnswerError(Exception):
    """No numbers came; the text says why, for people, and holds no secret."""


def gate(*, has_credential: bool) -> Gate:
    return Gate.of("VTAPWEB_TRAFFIC_PROMETHEUS_HOSTS", settings.TRAFFIC_PROMETHEUS_HOSTS, allows_http=not has_credential)


def is_selector(text: str) -> bool:
    """Whether it is a list of label matchers, as between the braces of a selector."""
    return _SELECTOR.fullmatch(text) is not None


def expression(asked: Question) -> str:
    """One expression for all that is asked: the label `counter` says which value it is."""
    by = "" if asked.member else "instance"
    own = {OCTETS: asked.octets_query, PACKETS: asked.packets_query} if asked.octets_query else {}
    parts = []
    for counter in (OCTETS, PACKETS, *DROPS):
        if own:
            values = f"sum by ({by}) ({own[counter]})" if own.get(counter) else ""
        else:
            known = [(name, one) for name, one in MEANINGS.items() if one.counter == counter and _NAME.fullmatch(name)]
            values = " or ".join(f"sum by ({by}) (rate({name}{{{_matchers(one, asked.selector)}}}[{asked.interval_s}s]))" for name, one in known)
        if values:
            parts.append(f'label_replace({values}, "counter", "{counter}", "", "")')
    return " or ".join(parts)


def _matchers(meaning: Meaning, selector: str) -> str:
    given = [f'{name}="{value}"' for name, value in meaning.where.items()]
    if meaning.device:
        given.append(f'{meaning.device}!~"(?:{INNER_DEVICES}).*"')
    return ",".join([*given, selector.strip().rstrip(",")])


def window(asked: Question, now_s: float) -> tuple[int, int]:
    """The first and the last step, in unix seconds: whole intervals, the last one settled."""
    step = asked.interval_s
    last = int(now_s - SETTLE_S) // step * step
    return last - min(REACH_STEPS * step, max(REACH_MOST_S // step, 1) * step), last


def ask(asked: Question, *, now_s: float) -> list[Points]:
    """The newest steps, a sample a machine. Raises AnswerError."""
    first, last = window(asked, now_s)
    query = {"query": expression(asked), "start": str(first), "end": str(last), "step": str(asked.interval_s)}
    document = _post(asked, "/api/v1/query_range", query)
    return points_of(asked, document, now_s=now_s)


def points_of(asked: Question, document: object, *, now_s: float) -> list[Points]:
    """What an answer holds. Raises AnswerError for what is none."""
    data = document.get("data") if isinstance(document, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(document, dict) or document.get("status") != "success" or not isinstance(result, list):
        raise AnswerError("The answer is not Prometheus' own. Is this the address of a Prometheus?")
    by_machine: dict[str, dict[int, dict[str, float]]] = {}
    for series in result:
        labels = series.get("metric") if isinstance(series, dict) else None
        values = series.get("values") if isinstance(series, dict) else None
        if not isinstance(labels, dict) or not isinstance(values, list):
            continue
        machine = asked.member or f"prometheus:{labels.get('instance') or 'all'}"
        if machine not in by_machine and len(by_machine) >= MEMBERS_MOST:
            continue
        for at_ms, value in filter(None, map(_value, values)):
            by_machine.setdefault(machine, {}).setdefault(at_ms, {})[str(labels.get("counter"))] = value
    found = []
    for machine, steps in by_machine.items():
        points = [_point(at_ms, given) for at_ms, given in sorted(steps.items()) if OCTETS in given or PACKETS in given]
        if points:
            lag = min(max(now_s - points[-1].end_ms / 1000, 0.0), LAG_MOST_S)
            found.append(
                Points(asked.collector, machine[:128], Origin.PROMETHEUS, float(asked.interval_s), int(now_s * 1000), lag, points, asked.nic_key)
            )
    return found


def _point(at_ms: int, given: Mapping[str, float]) -> Point:
    drops = [given[name] for name in DROPS if name in given]
    return Point(at_ms, given.get(PACKETS), given.get(OCTETS), sum(drops) if drops else None)


def _value(pair: object) -> tuple[int, float] | None:
    """A step and its value; None for what is no finite number from 0 on."""
    if not isinstance(pair, list) or len(pair) != 2:
        return None
    try:
        at_s, value = float(pair[0]), float(pair[1])
    except (TypeError, ValueError):
        return None
    return (round(at_s * 1000), value) if math.isfinite(value) and value >= 0 and 0 < at_s < 1e11 else None


# -- the connection


def _post(asked: Question, path: str, query: Mapping[str, str]) -> object:
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded", "User-Agent": "vtapweb", **_signed_in(asked)}
    allowed = gate(has_credential=bool(asked.credential))
    try:
        parts = allowed.checked_url(asked.base_url)
        client = allowed.connection(parts, timeout_s=TIMEOUT_S)
        try:
            client.request("POST", parts.path.rstrip("/") + path, body=urlencode(query).encode(), headers={"Host": parts.netloc, **headers})
            answer = client.getresponse()
            octets = answer.read(OCTETS_MOST + 1)
            status = answer.status
        finally:
            client.close()
    except (RefusedError, NotSentError) as problem:
        raise AnswerError(str(problem)) from problem
    except (OSError, http.client.HTTPException) as problem:
        raise AnswerError(f"It does not answer: {type(problem).__name__}: {problem}"[:300]) from problem
    if len(octets) > OCTETS_MOST:
        raise AnswerError(f"Its answer has more than {OCTETS_MOST // 1024 // 1024} MiB. Narrow the selector.")
    return _document(status, octets)


def _document(status: int, octets: bytes) -> object:
    if 300 <= status < 400:
        raise AnswerError(f"It answered {status}; redirects are not followed. Give the address it leads to.")
    if status in {401, 403}:
        raise AnswerError(f"It answered {status}: it wants another credential.")
    try:
        document: Any = json.loads(octets)
    except (ValueError, RecursionError):
        raise AnswerError(f"It answered {status}, and not as a Prometheus does. Is this its address?") from None
    if status != 200:
        said = str(document.get("error") or "") if isinstance(document, dict) else ""
        raise AnswerError(f"It answered {status}: {said or 'no reason given'}"[:300])
    return document


def _signed_in(asked: Question) -> dict[str, str]:
    """The header of a credential. Raises AnswerError where the environment has none of that name, or it is none."""
    if not asked.credential:
        return {}
    kind, _, secret = settings.TRAFFIC_PROMETHEUS_CREDENTIALS.get(asked.credential, "").partition(" ")
    secret = secret.strip()
    if not secret or any(ord(one) < 32 or ord(one) > 126 for one in secret) or kind.lower() not in {"bearer", "basic"}:
        name = f"VTAPWEB_TRAFFIC_PROMETHEUS_CREDENTIAL_{asked.credential.upper()}"
        raise AnswerError(f"The worker's environment has no credential in {name}: bearer TOKEN or basic USER:PASSWORD.")
    return {"Authorization": f"Bearer {secret}" if kind.lower() == "bearer" else f"Basic {base64.b64encode(secret.encode()).decode()}"}


def credentials() -> Sequence[str]:
    """The names of those in the environment."""
    return sorted(settings.TRAFFIC_PROMETHEUS_CREDENTIALS)
