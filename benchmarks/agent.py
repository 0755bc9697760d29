"""`agent`: one tick at 5,000 sources, all of them changed, from the kernel's set to the octets that are sent, against `nft -j`.

Needs root, nftables and network namespaces, as the agent's tests do. CPU time, as the wall time of shared cores says little; the kernel's own part
of reading the set counts, since the agent makes it do that.
"""

import gzip
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks import Result

SOURCES, ROUNDS = 5000, 20
LIMIT_MS = 50


def cpu_s(who: Callable[[], object]) -> float:
    """CPU seconds of one call, those of processes that it starts and waits for included."""
    before = os.times()
    started = time.process_time()
    who()
    after = os.times()
    return time.process_time() - started + after.children_user + after.children_system - before.children_user - before.children_system


def run() -> Iterator[Result]:
    from tests.agent.frames import address, inner_frame, mirrored
    from tests.agent.namespaces import SEARCHED, Lab, inside, mac_of
    from vtapweb.agent.vtap_agent import Agent

    with Lab() as lab:
        sender, collector = lab.namespace(), lab.namespace()
        lab.cable((sender, "eth0", "10.1.0.1/16"), (collector, "eth0", "10.1.0.4/16"))
        mac = bytes.fromhex(mac_of(collector).replace(":", ""))
        frames = [mirrored(mac, address(number), inner_frame(60)) for number in range(SOURCES)]
        with inside(collector.name):
            agent = Agent("eth0")
            agent.count()

            def tick(is_full: bool) -> object:
                document = agent.document(is_full=is_full)
                return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), compresslevel=1)

            def nft_json() -> object:
                command = ["nft", "-j", "list", "set", "ip", "vtapweb_agent", "src"]
                return subprocess.run(command, env={**os.environ, "PATH": SEARCHED}, stdout=subprocess.PIPE, check=True)

            short: list[float] = []
            full: list[float] = []
            theirs: list[float] = []
            with sender.packet_socket() as wire:
                for _ in range(ROUNDS):
                    for frame in frames:
                        wire.send(frame)
                    short.append(cpu_s(lambda: tick(is_full=False)))
                    full.append(cpu_s(lambda: tick(is_full=True)))
                    theirs.append(cpu_s(nft_json))
            counted = agent.document(is_full=True)["total"]
            agent.end()
    if counted != [ROUNDS * SOURCES, ROUNDS * SOURCES * 96]:
        raise RuntimeError(f"{counted} counted of {ROUNDS * SOURCES} packets: a tick that reads the wrong numbers measures nothing")
    reference_ms = statistics.median(theirs) * 1000
    result = Result(
        name=f"agent: tick, {SOURCES} changed sources, CPU", value=statistics.median(short) * 1000, unit="ms", limit=LIMIT_MS,
        reference="nft -j list set", reference_value=reference_ms,
    )  # fmt: skip
    yield result
    yield replace(result, name=f"agent: every tenth tick, {SOURCES} sources with directions, CPU", value=statistics.median(full) * 1000)
