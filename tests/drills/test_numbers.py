"""From the wire to the answer: mirrored packets of a known rate through two members of one collector, as people are told of them.

[sender eth0] --- [member 0 eth0, agent]        agents ──POST──> web ──> meter ──> API
[sender eth1] --- [member 1 eth0, agent]
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.agent.frames import inner_frame, mirrored
from tests.agent.namespaces import Lab, Namespace, mac_of
from tests.agent.process import as_nobody, running
from tests.agent.relay import relay
from tests.drills.stack import Installation, simulator, up
from tests.waiting import eventually

pytestmark = [pytest.mark.stack, pytest.mark.namespaces, pytest.mark.long]

OCTETS, PACKETS_PER_S = 1000, 500  # inner frames, of each source through each member
EACH = 8 * OCTETS * PACKETS_PER_S  # bits/s
TOLERATED = 0.02


class Flow:
    """Sends the same frames in turn, each PACKETS_PER_S times a second, by the clock: what a busy machine delays is made good."""

    def __init__(self, sender: Namespace, interface: str, frames: list[bytes]) -> None:
        self.frames = frames
        self._wire = sender.packet_socket(interface)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def _send(self) -> None:
        started, sent = time.monotonic(), 0
        with self._wire:
            while not self._is_over.wait(0.005):
                due = int((time.monotonic() - started) * PACKETS_PER_S)
                for _ in range(due - sent):
                    for frame in self.frames:
                        self._wire.send(frame)
                sent = due

    def __enter__(self) -> "Flow":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


@contextmanager
def installed() -> Iterator[Installation]:
    with simulator("S", page_size=100) as azure, TemporaryDirectory() as folder, up(Path(folder) / "data", azure.url) as (_, installation):
        installation.finished(installation.sync_start(), within_s=120)
        yield installation


def is_about(value: float | None, wanted: float) -> bool:
    return value is not None and abs(value - wanted) <= TOLERATED * wanted


def test_two_members_of_a_collector_are_summed_as_they_were_sent_to() -> None:
    with Lab() as lab, installed() as installation:
        collector = next(one for one in installation.ask("collectors")["items"] if one["kind"] == "load_balancer")
        key, tap_keys = collector["key"], set(collector["tap_keys"])
        tap_ids = {tap["id"].lower() for tap in installation.ask("taps")["items"] if tap["key"] in tap_keys}
        nics = [nic for nic in installation.ask("nics?limit=200")["items"] if tap_ids & {tap.lower() for tap in nic["tap_ids"]}]
        sources = {nic["private_ips"][0]: nic for nic in nics[:2]}
        assert len(sources) == 2

        def shown() -> dict[str, Any]:
            answer: dict[str, Any] = installation.ask(f"collectors/{key}")
            return answer

        def when(ask: Any, why: str) -> dict[str, Any]:
            found = eventually(lambda: answer if ask(answer := shown()) else None, within_s=60, why=why)
            assert found is not None
            return found

        def rates(answer: dict[str, Any]) -> dict[str, float | None]:
            return {one["address"]: one["bits_per_s"] for one in answer["sources"] or []}

        sender, members = lab.namespace(), [lab.namespace(), lab.namespace()]
        secrets = []
        for number, member in enumerate(members):
            lab.cable((sender, f"eth{number}", f"10.{4 + number}.0.1/24"), (member, "eth0", f"10.{4 + number}.0.4/24"))
            member.run("ip", "route", "add", "default", "via", f"10.{4 + number}.0.1")
            made = installation.manage("collector_token", "--destination", collector["id"], "--member", collector["members"][number]["nic_id"])
            assert made.returncode == 0, made.stderr
            secrets.append(made.stdout.strip())
        frames = [
            [mirrored(bytes.fromhex(mac_of(member).replace(":", "")), source, inner_frame(OCTETS), destination=f"10.{4 + number}.0.4")
             for source in sources]
            for number, member in enumerate(members)
        ]  # fmt: skip
        web = urlsplit(installation.address)
        assert web.hostname
        assert web.port
        with relay(members[0], web.hostname, web.port) as first, relay(members[1], web.hostname, web.port) as second:
            rights = as_nobody("net_admin")
            with (
                running(members[1], "--server", second, rights=rights, secret=secrets[1]),
                running(members[0], "--server", first, rights=rights, secret=secrets[0]) as agent,
            ):
                with Flow(sender, "eth0", frames[0]), Flow(sender, "eth1", frames[1]):
                    answer = when(lambda one: is_about(one["rates"]["bits_per_s"], 4 * EACH), "the sum of both members within 2 %")
                    assert [one["origin"] for one in answer["members"]] == ["agent", "agent"]
                    answer = when(lambda one: all(is_about(rates(one).get(source), 2 * EACH) for source in sources), "each source within 2 %")
                    assert {one["address"]: one["nic_key"] for one in answer["sources"]} == {ip: nic["key"] for ip, nic in sources.items()}
                    when(lambda one: one["rates"]["age_s"] is not None and one["rates"]["age_s"] <= 2, "rates not older than 2 s")
                    agent.end(signal.SIGKILL)
                    when(lambda one: is_about(one["rates"]["bits_per_s"], 2 * EACH), "the other member alone")
                    with running(members[0], "--server", first, rights=rights, secret=secrets[0]):
                        answer = when(lambda one: is_about(one["rates"]["bits_per_s"], 4 * EACH), "both again")
                        assert "H14" not in answer["health"]["rules"], "one restart is no loop"
                stopped = when(lambda one: set(rates(one).values()) == {0.0}, "zero for sources that were stopped")
                assert stopped["rates"]["bits_per_s"] == 0
        series = [value for value in installation.ask(f"collectors/{key}/series")["bits_per_s"] if value is not None]
        assert max(series) <= 4 * EACH * 1.5, "no spike when counters began anew"
        assert min(series) >= 0
