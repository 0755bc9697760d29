"""A wall whose time is played: hours of what happens to a screen, as fast as its page can take it.

    World: what is so at each second, a pure function of time ──▶ PlayedStand: tells it over HTTP and the socket, as of the second that is asked
    Play: lets the page's time go (played.js), batch by batch, and looks at each batch's end whether the screen tells what is so

Nothing here knows what the page does. Times are Unix milliseconds, the world's. What happens in an hour happens in every hour, with other numbers.
"""

import json
import math
import struct
from array import array
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Error, Page

from tests.e2e.map_stand import snapshot_s
from tests.e2e.memory import Held, held, watch_memory
from tests.e2e.wall_stand import MINUTE_MS, WallStand, alarm, alarmed, collector, display, wall_picture, wall_state
from tests.waiting import eventually
from vtapweb.domain.playlist import Entry, slots, stretches

SCRIPT = Path(__file__).with_name("played.js")
ZONE = ZoneInfo("Europe/London")
HOUR_S, DAY_S = 3600, 86_400
OVERVIEW, MAP, SOURCES, ALARMS, COLLECTOR = 1, 2, 3, 4, 5
PLAYLIST = [
    Entry(OVERVIEW, 60), Entry(MAP, 40), Entry(SOURCES, 30), Entry(COLLECTOR, 30), Entry(ALARMS, 20),
    Entry(MAP, 30, from_hour=0, until_hour=6), Entry(SOURCES, 20, from_hour=22, until_hour=3),
]  # fmt: skip
# Seconds of an hour, from … until before ….
DOWN = [(900, 940), (2700, 2712)]  # the server restarts
CUT_EVERY_S, CUT_AT_S = 360, 37  # its socket closes, and opens again
SILENT = [(3000, 3030)]  # the line stands and says nothing
UNMEASURED = [(3200, 3230)]
INCIDENT, VISITORS, PUSHED, IDENTIFIED = (1500, 1620), (1700, 1820), (2100, 2220), (600, 615)
UNREAD = (2400, 2430)
FAILS = {"/wall/topology": 1200, "/wall/state": 2100}  # the first question after that is not answered, once an hour
NIGHT = (22, 6)  # hours of the zone in which it dims
ALARM_EVERY_S, ALARM_FROM_S, ALARM_TAKEN_S, ALARM_UNTIL_S = 420, 60, 180, 300
A_MAP_EVERY_S = 600
A_BATCH_S = 60
SOMEWHAT_MS = 300  # after a second has begun, the server tells of it
TOKEN_OLD_MS, TOKEN_ENDS_MS = DAY_S * 1000, 10 * MINUTE_MS
COOKIE = "vtapweb_display_stand"


def within(second: int, *spans: tuple[int, int]) -> bool:
    return any(begin <= second < end for begin, end in spans)


class World:
    """What is so at each moment from `start_ms` on, which is the beginning of an hour of UTC. `version` and `reload_ms` are the test's to change."""

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.version = "v1"
        self.reload_ms = start_ms + 4000 * DAY_S * 1000
        self.is_quiet = False  # nothing happens any more
        self._maps: dict[tuple[bool, bool], dict[str, Any]] = {}

    def second(self, at_ms: int) -> int:
        return at_ms // 1000 % HOUR_S

    def is_up(self, at_ms: int) -> bool:
        return self.is_quiet or not within(self.second(at_ms), *DOWN)

    def is_silent(self, at_ms: int) -> bool:
        return not self.is_quiet and within(self.second(at_ms), *SILENT)

    def is_measured(self, at_ms: int) -> bool:
        return self.is_quiet or not within(self.second(at_ms), *UNMEASURED)

    def is_steady(self, at_ms: int) -> bool:
        """For half a minute at least everything has been as it should be, so the screen must be right."""
        return all(
            self.is_up(one) and self.is_measured(one) and not self.is_silent(one)
            for one in range(at_ms - 30_000, at_ms + 1, 1000)
            if one >= self.start_ms
        )

    def scene(self, at_ms: int) -> str:
        second = self.second(at_ms)
        return "normal" if self.is_quiet else "incident" if within(second, INCIDENT) else "visitors" if within(second, VISITORS) else "normal"

    def alarms(self, at_ms: int) -> list[dict[str, Any]]:
        number, into = divmod((at_ms - self.start_ms) // 1000, ALARM_EVERY_S)
        if self.is_quiet or not ALARM_FROM_S <= into < ALARM_UNTIL_S:
            return []
        opened_ms = self.start_ms + (number * ALARM_EVERY_S + ALARM_FROM_S) * 1000
        is_taken = into >= ALARM_TAKEN_S
        more = {"is_taken": is_taken, "owner": "m.ortiz" if is_taken else "", "opened_ms": opened_ms, "changed_ms": opened_ms}
        title = "A collector drops packets" if self.scene(at_ms) == "visitors" else f"ilb-collector-uks drops packets, time {number}"
        return [alarm(100 + number, title=title, qr="" if self.scene(at_ms) == "visitors" else f"/wall/qr/{100 + number}", **more)]

    def rates(self, at_ms: int) -> tuple[float, float]:
        """bit/s of the two collectors, which three figures tell exactly."""
        turn = at_ms // 1000 / 97
        return round(6 + 2 * math.sin(turn), 2) * 1e9, round(3 + math.cos(turn), 2) * 1e9

    def picture(self, at_ms: int) -> dict[str, Any]:
        first, second = self.rates(at_ms)
        alarms = self.alarms(at_ms)
        found = deepcopy(alarmed(*alarms) if alarms else wall_picture())
        snapshot = self.snapshot(at_ms)
        for place, (one, bits) in enumerate(zip(found["collectors"], (first, second), strict=True)):
            columns = snapshot["columns"]["collectors"]
            told = collector(columns["name"][place], id=columns["id"][place], bits_per_s=bits)
            one |= {name: told[name] for name in ("id", "name", "bits_per_s", "wire_bits_per_s", "packets_per_s", "share", "spark")}
            one |= {"key": columns["key"][place], "heard_ms": at_ms, "measured_ms": at_ms}
        is_measured = self.is_measured(at_ms)
        found |= {
            "at_ms": at_ms,
            "meter": {"state": "live" if is_measured else "stopped", "since_ms": None if is_measured else at_ms, "at_ms": at_ms},
        }
        found["totals"] |= {"bits_per_s": first + second}
        found["inventory"] = {"synced_ms": at_ms - 42_000, "state": "live", "words": "Inventory synced"}
        found["judging"] |= {"evaluated_ms": at_ms - 800, "settled_ms": at_ms - 3_600_000}
        found["events"] = [{**one, "at_ms": at_ms - place * 7 * MINUTE_MS} for place, one in enumerate(found["events"])]
        if not self.is_quiet and within(self.second(at_ms), UNREAD):
            found["unread"] = {"events": {"why": "the database does not answer", "since_ms": at_ms - 20_000}}
        if self.scene(at_ms) == "visitors":
            found["sources"] = [{**one, "nic": f"NIC {place}", "vnet": "VNet 1"} for place, one in enumerate(found["sources"], 1)]
        return found

    def snapshot(self, at_ms: int) -> dict[str, Any]:
        """Another one every ten minutes, in turn with a mirror less; visitors see no name."""
        number = 0 if self.is_quiet else (at_ms - self.start_ms) // 1000 // A_MAP_EVERY_S
        is_masked = self.scene(at_ms) == "visitors"
        kept = self._maps.get((bool(number % 2), is_masked))
        if kept is None:
            kept = snapshot_s()
            kept["series_revision"] = 1 + number % 2
            if number % 2:
                last = kept["counts"]["mirrors"] - 1
                kept["columns"]["mirrors"] = {name: values[:last] for name, values in kept["columns"]["mirrors"].items()}
                kept["counts"] |= {"mirrors": last}
                del kept["series"][last]
            if is_masked:
                for table, word in (("vnets", "VNet"), ("nics", "NIC"), ("collectors", "Collector"), ("subnets", "Subnet")):
                    kept["columns"][table]["name"] = [f"{word} {place}" for place in range(len(kept["columns"][table]["name"]))]
                kept["columns"]["collectors"]["key"] = ["c1", "c2"]
                kept["series"] = [f"m{place}" for place in range(len(kept["series"]) - 2)] + ["c1", "c2"]
            self._maps[bool(number % 2), is_masked] = kept
        return {**kept, "revision": f"r{number}{'m' if is_masked else ''}", "seq": self.seq(at_ms)}

    def seq(self, at_ms: int) -> int:
        return at_ms // 2000 - self.start_ms // 2000 + 1

    def state(self, at_ms: int) -> dict[str, Any]:
        now = at_ms // 1000
        second, scene = self.second(at_ms), self.scene(at_ms)
        due: list[dict[str, Any]] = [
            {"from_ms": one.from_s * 1000, "until_ms": one.until_s * 1000, "view": one.view, "why": "playlist", "by": ""}
            for one in slots(PLAYLIST, now=now, until=now + HOUR_S, zone=ZONE)
        ]
        if self.is_quiet:
            due = [{"from_ms": at_ms, "until_ms": None, "view": OVERVIEW, "why": "fixed", "by": ""}]
        elif scene == "incident":
            due = [{"from_ms": at_ms, "until_ms": None, "view": ALARMS, "why": "scene", "by": ""}]
        elif within(second, PUSHED):
            until_ms = (now - second + PUSHED[1]) * 1000
            after = [{**one, "from_ms": max(one["from_ms"], until_ms)} for one in due if one["until_ms"] > until_ms]
            due = [{"from_ms": at_ms, "until_ms": until_ms, "view": SOURCES, "why": "pushed", "by": "m.ortiz"}, *after]
        dims = stretches(from_hour=NIGHT[0], until_hour=NIGHT[1], now=now, until=now + DAY_S, zone=ZONE)
        return wall_state(
            display=display(time_zone="Europe/London"), scene=scene, is_masked=scene == "visitors", version=self.version, server_ms=at_ms, slots=due,
            dims=[{"from_ms": begin * 1000, "until_ms": end * 1000, "percent": 40} for begin, end in dims],
            identify_until_ms=(now - second + IDENTIFIED[1]) * 1000 if not self.is_quiet and within(second, IDENTIFIED) else None,
            next_reload_ms=self.reload_ms,
        )  # fmt: skip

    def view(self, at_ms: int) -> int:
        """What the stage shows then."""
        slot = self.state(at_ms)["slots"][0]
        is_taken = any(not one["is_taken"] for one in self.alarms(at_ms))
        return ALARMS if is_taken and self.scene(at_ms) != "visitors" and slot["why"] != "pushed" else int(slot["view"])

    def is_changing(self, at_ms: int) -> bool:
        """Whether the server says in this second that something of the display's is another."""
        return self._standing(at_ms) != self._standing(at_ms - 1000)

    def _standing(self, at_ms: int) -> tuple[str, bool, bool]:
        second = self.second(at_ms)
        return self.scene(at_ms), within(second, PUSHED), within(second, IDENTIFIED)

    def is_night(self, at_ms: int) -> bool:
        hour = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZONE).hour
        return hour >= NIGHT[0] or hour < NIGHT[1]

    def time_words(self, at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZONE).strftime("%H:%M:%S")


class PlayedStand(WallStand):
    """Tells what is so in its world at the moment that is asked; what it says over the socket up to `until_ms`, in one go."""

    def __init__(self, world: World) -> None:
        super().__init__(world.state(world.start_ms), world.picture(world.start_ms))
        self.world = world
        self.asked_ms = self.until_ms = world.start_ms
        self.failed_ms: dict[str, int] = {}  # when an address failed last
        self.tokens: dict[str, int | None] = {}  # and when each ends
        self.token_ms = 0
        self.rotated = 0

    @property
    def now_ms(self) -> int:
        return self.asked_ms

    def play(self, until_ms: int) -> None:
        """Says all that is to be said until then."""
        from_ms, self.until_ms = self.until_ms, until_ms
        self._run(self._say_all(from_ms))

    async def _say_all(self, from_ms: int) -> None:
        for send in list(self.sockets):
            await self._say(send, from_ms)

    async def _say(self, send: Any, from_ms: int) -> None:
        for message in self._messages(from_ms, self.until_ms):
            await send(message)
            if message["type"] == "websocket.close":
                self.sockets.discard(send)
                return

    def _messages(self, from_ms: int, until_ms: int) -> Iterator[dict[str, Any]]:
        """Of the seconds whose word falls after `from_ms`."""
        world = self.world
        for second_ms in range((from_ms - SOMEWHAT_MS) // 1000 * 1000 + 1000, until_ms - SOMEWHAT_MS + 1, 1000):
            at_ms = second_ms + SOMEWHAT_MS
            into = world.second(second_ms)
            is_closed = not world.is_up(second_ms) or (into % CUT_EVERY_S == CUT_AT_S and not world.is_quiet)
            if world.is_silent(second_ms) and not is_closed:
                continue
            yield text({"played_ms": at_ms})
            if is_closed:
                yield {"type": "websocket.close", "code": 1012}
                return
            seq = world.seq(second_ms)
            snapshot, before = world.snapshot(second_ms), world.snapshot(second_ms - 1000)
            if world.is_changing(second_ms):
                yield text({"kind": "wall", "deed": "state", "display": 7, "group": None, "seq": seq})
            if snapshot["revision"] != before["revision"]:
                yield text({"kind": "refetch", "revision": snapshot["revision"], "seq": seq})
            if second_ms // 1000 % 2 == 0:
                yield text({"kind": "tick", "seq": seq})
                yield text(world.picture(second_ms))
            if world.is_measured(second_ms):
                yield {"type": "websocket.send", "bytes": self._frame(second_ms, snapshot)}
            elif world.is_measured(second_ms - 1000):
                yield text({"kind": "rates", "stopped": True, "since": iso(second_ms)})
        yield text({"played_ms": until_ms})

    def _frame(self, second_ms: int, snapshot: dict[str, Any]) -> bytes:
        first, second = self.world.rates(second_ms)
        bits = array("f", [*(first / (9 + place) for place in range(len(snapshot["series"]) - 2)), first, second])
        packets = array("f", [one / 8000 for one in bits])
        head = struct.pack("<IId", second_ms // 1000 % 2**32, snapshot["series_revision"], second_ms / 1000)
        return head + bits.tobytes() + packets.tobytes()

    async def _app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        told = dict(scope["headers"])
        if scope["type"] == "http":
            self.asked_ms = int(float(told.get(b"played-ms", self.asked_ms)))
        else:
            self.asked_ms = int(float(scope["query_string"].rpartition(b"played_ms=")[2]))
        cookies = dict(one.strip().partition("=")[::2] for one in told.get(b"cookie", b"").decode().split(";"))
        self.status = self._use(cookies.get(COOKIE, ""))

        async def send_with_cookie(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and scope["path"] == "/wall" and (token := self._rotated()):
                message["headers"].append((b"set-cookie", f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax".encode()))
            await send(message)

        await super()._app(scope, receive, send_with_cookie)

    def _use(self, token: str) -> int:
        """As the product's keys: what comes after a key ends it ten minutes after its own first use."""
        if not self.tokens:
            return 200  # the first question of all, which brings the first cookie
        ends_ms = self.tokens.get(token, 0)
        if ends_ms is not None and ends_ms <= self.asked_ms:
            return 401
        if token == next(reversed(self.tokens)):
            for older in list(self.tokens)[:-1]:
                if self.tokens[older] is None:
                    self.tokens[older] = self.asked_ms + TOKEN_ENDS_MS
        return 200

    def _rotated(self) -> str:
        if self.tokens and self.asked_ms - self.token_ms < TOKEN_OLD_MS:
            return ""
        self.token_ms = self.asked_ms
        token = f"vtd_{len(self.tokens)}"
        self.tokens[token] = None
        return token

    async def _socket(self, receive: Any, send: Any) -> None:
        at_ms, world = self.asked_ms, self.world
        await receive()
        if not world.is_up(at_ms) or self.status != 200:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": {401: 4401}.get(self.status, 1012)})
            return
        await send({"type": "websocket.accept"})
        snapshot = world.snapshot(at_ms)
        await send(text({"played_ms": at_ms}))
        await send(text({"kind": "hello", "revision": snapshot["revision"], "seq": snapshot["seq"], "server_time": iso(at_ms)}))
        await send(text(world.picture(at_ms)))
        self.sockets.add(send)
        await self._say(send, at_ms)
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                self.said.append(json.loads(message["text"]))
                del self.said[:-50]
        finally:
            self.sockets.discard(send)

    def _answer(self, path: str, query: str) -> tuple[int, str, bytes]:
        world, at_ms = self.world, self.asked_ms
        if path in FAILS and at_ms - self.failed_ms.get(path, 0) > HOUR_S * 1000 and world.second(at_ms) >= FAILS[path] and not world.is_quiet:
            self.failed_ms[path] = at_ms
            return 503, "text/plain", b"not now"
        if path.startswith("/wall"):
            self.is_live, self.page_version = world.is_up(at_ms), world.version
            self.state, self.snapshot = world.state(at_ms), world.snapshot(at_ms)
            self.traffic = {"collectors": [self.facts(one) for one in self.snapshot["columns"]["collectors"]["id"]], "silent": []}
            del self.asked[:-50]
        return super()._answer(path, query)


def text(message: dict[str, Any]) -> dict[str, Any]:
    return {"type": "websocket.send", "text": json.dumps(message)}


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


LOOK = """() => ({
  time: document.querySelector("[data-test=time]").textContent, view: vtap.wall.view()?.id, feed: vtap.wall.line().feed, stats: vtap.wall.stats(),
  opacity: document.getElementById("wall-dim").style.opacity, moved: document.getElementById("wall").style.transform, play: play.stats(),
  shownViews: [...document.querySelectorAll(".wall-view")].filter((one) => !one.hidden).map((one) => Number(one.dataset.view)),
  words: document.querySelector(".wall").innerText, clock: vtap.wall.clock(), revision: vtap.wall.graph()?.revision,
})"""
STARTED = "window.play && window.vtap?.wall ? 1 : 0"


class Play:
    """A page and its stand, played on; `problems` is what the page complained of."""

    def __init__(self, page: Page, stand: PlayedStand) -> None:
        self.page, self.stand, self.world = page, stand, stand.world
        self.at_ms = self.world.start_ms
        self.problems: list[str] = []
        self.moves: set[str] = set()
        self.views: set[int] = set()
        self.seconds = 0
        self.looked = 0
        page.add_init_script(script=f"({SCRIPT.read_text(encoding='utf-8').rstrip().removesuffix(';')})({self.at_ms})")
        page.on("console", lambda message: self._complains(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(stand.url + "/wall")
        self.started()
        self.session = watch_memory(page)

    def _complains(self, words: str) -> None:
        if "Failed to load resource" not in words and "WebSocket" not in words:  # the server was away
            self.problems.append(words)

    def started(self) -> None:
        eventually(lambda: self._evaluate(STARTED), within_s=60, why="the page's modules are read")

    def _evaluate(self, expression: str, given: Any = None) -> Any:
        """None while the page is read anew."""
        try:
            return self.page.evaluate(expression, given)
        except Error as error:
            if "context" not in str(error) and "navigat" not in str(error):
                raise
            return None

    def run(self, seconds: int, *, look: bool = True, batch_s: int = A_BATCH_S) -> None:
        """So many seconds of the world, in batches; at the end of each the screen is looked at, if everything has been steady."""
        end_ms = self.at_ms + seconds * 1000
        while self.at_ms < end_ms:
            self.at_ms = min(end_ms, self.at_ms + batch_s * 1000)
            self.stand.play(self.at_ms)
            while self._evaluate("until_ms => play.run(until_ms)", self.at_ms) is None:
                self.started()  # it has read itself anew in between
            if look:
                self.look()
        self.seconds += seconds

    def look(self) -> dict[str, Any]:
        """Raises AssertionError when the screen says something else than the world of now."""
        world, at_ms = self.world, self.at_ms
        seen: dict[str, Any] = self.page.evaluate(LOOK)
        self.moves.add(seen["moved"])
        self.views.add(seen["view"])
        if not world.is_steady(at_ms):
            return seen
        self.looked += 1
        assert seen["time"] in {world.time_words(one) for one in (at_ms, at_ms - 1000)}, (seen["time"], world.time_words(at_ms))
        assert abs(seen["clock"]["now_ms"] - at_ms) < 1500, "the server's time, whatever the machine's clock says"
        assert seen["feed"] == "live", (seen["feed"], iso(at_ms))
        assert seen["view"] in {world.view(one) for one in (at_ms, at_ms - 1000, at_ms - 2000)}, (seen["view"], world.view(at_ms), iso(at_ms))
        assert seen["shownViews"] == [seen["view"]], seen["shownViews"]
        assert seen["revision"] in {world.snapshot(one)["revision"] for one in (at_ms, at_ms - 12_000)}, (seen["revision"], iso(at_ms))
        assert seen["opacity"] in {"0.6" if world.is_night(one) else "0" for one in (at_ms, at_ms - 1000)}, (seen["opacity"], iso(at_ms))
        lasting = {one["spoken"] for one in world.alarms(at_ms)} & {one["spoken"] for one in world.alarms(at_ms - 5000)}
        if seen["view"] in (OVERVIEW, ALARMS):
            assert all(spoken in seen["words"] for spoken in lasting), (lasting, iso(at_ms))
        assert (seen["stats"]["errors"], seen["stats"]["lastError"]) == (0, ""), seen["stats"]
        return seen

    def tell(self, expression: str) -> None:
        """Changes the page's machine or network, e.g. "clockOff(-3600000)"."""
        self.page.evaluate(f"play.{expression}")

    def sleep(self, seconds: int, *, is_steady: bool) -> None:
        """The machine sleeps, and the page is frozen as a browser does it. `is_steady`: the clock that only goes forward counts that time."""
        self.at_ms += seconds * 1000
        self.page.evaluate("([until_ms, isSteady]) => play.sleep(until_ms, isSteady)", [self.at_ms, is_steady])
        self.stand.sockets.clear()
        self.stand.until_ms = self.at_ms
        for state in ("frozen", "active"):
            self.session.send("Page.setWebLifecycleState", {"state": state})

    def quiet(self) -> None:
        """From now on nothing happens but seconds, and the display shows its overview."""
        self.world.is_quiet = True
        self.stand.deed("state")
        snapshot = self.world.snapshot(self.at_ms)
        self.stand.tell({"kind": "refetch", "revision": snapshot["revision"], "seq": snapshot["seq"]})

    def run_until(self, expression: str, *, within: int) -> int:
        """Plays on until this is so; the seconds it took. Raises AssertionError when it was not within so many."""
        for gone in range(0, within, 10):
            if self._evaluate(expression):
                return gone
            self.run(10, look=False)
        raise AssertionError(f"{expression}: not within {within} s of the world")

    def held(self) -> Held:
        return held(self.session)
