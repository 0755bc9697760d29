"""From the wire to the pixel: mirrored packets of a known rate through kernel, agent, ingest, meter and hub, as a browser shows them.

[sender eth0] --- [member 0 eth0, agent] --+
[sender eth1] --- [member 1 eth0, agent] --+--> web --> meter --> hub --> map, collector's page, alarms
a document a minute of another collector --+
"""

import json
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.agent.frames import NIC_MAC, inner_frame, mirrored
from tests.agent.namespaces import Lab, Namespace, mac_of
from tests.agent.process import Running, as_nobody, running
from tests.agent.relay import relay
from tests.drills.steady import BITS_PER_S, Steady
from tests.drills.test_numbers import PACKETS_PER_S, Flow
from tests.e2e.quiet import Quiet, bits_of, quiet
from tests.waiting import eventually

pytestmark = [pytest.mark.namespaces, pytest.mark.long]

OCTETS = 1000  # of an inner frame
EACH = 8.0 * OCTETS * 2 * PACKETS_PER_S  # bits/s of a source through each member, both directions
TOLERATED = 0.02
BUSY_S = 120  # for what a busy machine may delay
STARTS = 5
# A tool that reads in time: packets are taken behind the agent's count, and no port is unreachable.
TAKEN = "table ip tool { chain taken { type filter hook input priority 0; udp dport 4789 drop; }; }"


class Wire:
    """Two members of a load-balanced collector, each with an agent, and a sender to both."""

    def __init__(self, stage: Quiet, held: ExitStack) -> None:
        lab = held.enter_context(Lab())
        ask = stage.installation.ask
        self.collector = next(one for one in ask("collectors")["items"] if one["kind"] == "load_balancer")
        self.key: str = self.collector["key"]
        taps = {tap["id"].lower() for tap in ask("taps")["items"] if tap["key"] in set(self.collector["tap_keys"])}
        mirrors = [one for one in ask("tap-configurations?limit=1000")["items"] if one["tap_id"].lower() in taps]
        nics = {one["id"].lower(): one for one in ask("nics?limit=1000")["items"]}
        chosen = [(one, nics[one["nic_id"].lower()]) for one in mirrors if "/spk-" in one["nic_id"] or "/web-" in one["nic_id"]][:2]
        assert len(chosen) == 2
        self.mirror_keys = [mirror["key"] for mirror, _ in chosen]
        self.nics = [nic for _, nic in chosen]
        self.sender = lab.namespace()
        self.members: list[Namespace] = []
        self._secrets: list[str] = []
        self._servers: list[str] = []
        web = urlsplit(stage.installation.address)
        assert web.hostname
        assert web.port
        for number, member in enumerate(self.collector["members"][:2]):
            machine = lab.namespace()
            lab.cable((self.sender, f"eth{number}", f"10.{4 + number}.0.1/24"), (machine, "eth0", f"10.{4 + number}.0.4/24"))
            machine.run("nft", "-f", "-", stdin=TAKEN)
            machine.run("ip", "route", "add", "default", "via", f"10.{4 + number}.0.1")
            made = stage.installation.manage("collector_token", "--destination", self.collector["id"], "--member", member["nic_id"])
            assert made.returncode == 0, made.stderr
            self.members.append(machine)
            self._secrets.append(made.stdout.strip())
            self._servers.append(held.enter_context(relay(machine, web.hostname, web.port)))

    def agent(self, number: int) -> Any:
        """A running agent of that member, to enter."""
        return running(self.members[number], "--server", self._servers[number], rights=as_nobody("net_admin"), secret=self._secrets[number])

    @contextmanager
    def flowing(self, source: int) -> Iterator[None]:
        """That source sends to both members."""
        nic = self.nics[source]
        own = bytes.fromhex(nic["mac_address"].replace("-", "").replace(":", ""))
        frames = [
            [mirrored(bytes.fromhex(mac_of(machine).replace(":", "")), nic["private_ips"][0], inner_frame(OCTETS, mac), destination=address)
             for mac in (own, NIC_MAC)]  # what it sends, and what it receives
            for machine, address in zip(self.members, ("10.4.0.4", "10.5.0.4"), strict=True)
        ]  # fmt: skip
        with Flow(self.sender, "eth0", frames[0]), Flow(self.sender, "eth1", frames[1]):
            yield


def frames_of(page: Page, since_s: float) -> list[dict[str, Any]]:
    """What the page took since then, by the clock."""
    found: list[dict[str, Any]] = page.evaluate("since => window.seenFrames.filter(one => one.arrived_s >= since)", since_s)
    return found


def first_frame(page: Page, since_s: float, what: Callable[[dict[str, Any]], bool], why: str) -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        return next((one for one in frames_of(page, since_s) if what(one)), None)

    found = eventually(find, within_s=BUSY_S, why=why)
    assert found is not None
    return found


def alarm_with(stage: Quiet, collector: str, rule: str, *, state: str = "open") -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        return next((one for one in stage.alarms() if one["collector_key"] == collector and rule in one["rule_ids"] and one["state"] == state), None)

    found = eventually(find, within_s=2 * BUSY_S, why=f"{rule} {state}: {[(one['name'], one['state'], one['rule_ids']) for one in stage.alarms()]}")
    assert found is not None
    return found


def unix_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_what_is_sent_is_what_a_browser_shows(browser: Browser, record_property: Callable[[str, object], None]) -> None:
    with ExitStack() as held:
        stage = held.enter_context(quiet())
        wire = Wire(stage, held)
        key, both = wire.key, 2 * EACH
        context = stage.context(browser)
        held.callback(context.close)
        slow = next(one for one in stage.installation.ask("collectors")["items"] if one["name"] == "nic-packetlog-01")
        slow_secret = stage.installation.manage("collector_token", "--destination", slow["id"]).stdout.strip()
        slow_sources = addresses_to(stage, slow)
        minutely = held.enter_context(Steady(stage.installation.address, slow_secret, "minutely", slow_sources, every_s=60))
        began_s = time.time()
        map_page = stage.open_map(context, [key, slow["key"], *wire.mirror_keys])
        page = stage.open_collector(context, key)
        agents: list[Running] = [held.enter_context(wire.agent(number)) for number in (0, 1)]
        first_frame(map_page, began_s, lambda one: one["rates"].get(key) == 0, "both agents report, and nothing is sent")

        delays = []
        for _ in range(STARTS):
            since_s = time.time()
            with wire.flowing(0):
                delays.append(first_frame(map_page, since_s, lambda one: one["rates"].get(key, 0) > 0, "what is sent")["arrived_s"] - since_s)
            ended_s = time.time()
            first_frame(map_page, ended_s, lambda one: one["rates"].get(key) == 0, "nothing is sent")
        record_property("from sending to the browser, s", json.dumps([round(one, 2) for one in delays]))
        assert statistics.median(delays) <= 2.0

        # Steady, from both sources through both members: figures, words and pills.
        with wire.flowing(0):
            with wire.flowing(1):
                since_s = time.time()
                settled = lambda one: abs(one["rates"].get(key, 0) - 2 * both) <= TOLERATED * 2 * both  # noqa: E731
                start = first_frame(map_page, since_s, settled, "both sources through both members")["arrived_s"]
                eventually(lambda: len(frames_of(map_page, start)) >= 30, within_s=BUSY_S, why="thirty frames")
                shown = frames_of(map_page, start)
                for series, wanted in ((key, 2 * both), *((mirror, both) for mirror in wire.mirror_keys)):
                    mean = statistics.fmean(one["rates"][series] for one in shown if series in one["rates"])
                    record_property(f"mean of 30 frames / sent, {series}", round(mean / wanted, 4))
                    assert abs(mean - wanted) <= TOLERATED * wanted
                card = statistics.fmean(one["cards"][wire.collector["name"]] for one in shown)
                assert abs(card - 2 * both) <= TOLERATED * 2 * both
                pills = "vtap.graph.stats().labels"
                eventually(
                    lambda: any(abs(bits_of(text) - 2 * both) <= 0.025 * 2 * both for text in map_page.evaluate(pills)), within_s=BUSY_S,
                    why=f"a pill of {2 * both:g} b/s among {map_page.evaluate(pills)}",
                )  # fmt: skip
                eventually(
                    lambda: abs(bits_of(page.locator("[data-test=bits]").inner_text()) - 2 * both) <= 0.025 * 2 * both, within_s=BUSY_S,
                    why="the page's words",
                )  # fmt: skip
                late = [one["arrived_s"] - one["unix_s"] for one in shown]
                record_property("age of a tick when the page has it, median s", round(statistics.median(late), 3))

                assert [json.dumps(one) for one in stage.alarms()] == [], "nothing is wrong yet"

                # Kill both agents: unknown after five seconds, an alarm after thirty, and no spike when they are back.
                killed_s = time.time()
                for agent in agents:
                    agent.end(signal.SIGKILL)
                gone = first_frame(map_page, killed_s, lambda one: key not in one["rates"], "stale")
                record_property("stale s after the kill", round(gone["arrived_s"] - killed_s, 1))
                assert gone["arrived_s"] - killed_s > 3, "a second without a report is no staleness"
                expect(page.locator("[data-test=stale]")).to_be_visible(timeout=BUSY_S * 1000)
                alarm = alarm_with(stage, key, "H1")
                record_property("H1 alarm s after the kill", round(unix_s(alarm["opened_at"]) - killed_s, 1))
                assert unix_s(alarm["opened_at"]) - killed_s >= 28, json.dumps(alarm)
                page.goto("/alarms")
                expect(page.locator("[data-test=alarm-row]", has_text=alarm["name"])).to_contain_text(wire.collector["name"])
                page = stage.open_collector(context, key)
                back_s = time.time()
                for number in (0, 1):
                    held.enter_context(wire.agent(number))
                first_frame(map_page, back_s, settled, "both agents again")
                alarm_with(stage, key, "H1", state="cleared")
                most = max(one["rates"].get(key, 0) for one in frames_of(map_page, start))
                record_property("highest frame / sent, through the restart", round(most / (2 * both), 3))
                assert most <= 1.5 * 2 * both, "no spike"
                # Agents that began anew remember nothing: more than 100 packets/s over 15 min are to be seen again.
                eventually(lambda: len(frames_of(map_page, back_s)) >= 120, within_s=2 * BUSY_S, why="two minutes of traffic")

            # One source stops while the other goes on: that it was there before is known, so it has stopped.
            stopped = alarm_with(stage, key, "H4")
            assert [child["name"] for child in stopped["children"]] in ([], [wire.nics[1]["name"]])
            assert "stopped" in stopped["title"] + stopped["sentence"]
            assert wire.nics[1]["name"] in stopped["title"] + stopped["sentence"]
            page.goto("/alarms")
            expect(page.locator("[data-test=alarm-row]", has_text=stopped["name"])).to_contain_text("stopped")

        # Who tells once a minute has a rate, and nobody was alarmed about it or about two members of one collector.
        eventually(lambda: minutely.taken >= 3, within_s=4 * 60, why="three documents of the slow one")
        wanted = len(slow_sources) * BITS_PER_S
        since_s = time.time()
        slow_frame = first_frame(map_page, since_s, lambda one: slow["key"] in one["rates"], "the rate of the slow one")
        assert abs(slow_frame["rates"][slow["key"]] - wanted) <= TOLERATED * wanted
        told = stage.installation.ask(f"collectors/{slow['key']}")
        assert told["rates"]["interval_s"] == 60
        assert told["health"]["rules"] == []
        assert [one["sentence"] for one in stage.alarms() if one["collector_key"] == slow["key"]] == []
        assert [one["sentence"] for one in stage.alarms() if "H14" in one["rule_ids"]] == []


def addresses_to(stage: Quiet, collector: dict[str, Any]) -> list[str]:
    """Of all NICs that are mirrored to it."""
    ask = stage.installation.ask
    taps = {tap["id"].lower() for tap in ask("taps")["items"] if tap["key"] in set(collector["tap_keys"])}
    return [nic["private_ips"][0] for nic in ask("nics?limit=1000")["items"] if taps & {tap.lower() for tap in nic["tap_ids"]}]
