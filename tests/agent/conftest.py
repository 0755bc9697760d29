"""Machines of a test: a collector, and somebody who sends to it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.agent.namespaces import Lab, Namespace, mac_of


@dataclass(frozen=True)
class Pair:
    """[sender eth0 10.1.0.1] --- [collector eth0 10.1.0.4]"""

    sender: Namespace
    collector: Namespace

    def collector_mac(self) -> bytes:
        return bytes.fromhex(mac_of(self.collector).replace(":", ""))


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def pair(lab: Lab) -> Pair:
    sender, collector = lab.namespace(), lab.namespace()
    lab.cable((sender, "eth0", "10.1.0.1/16"), (collector, "eth0", "10.1.0.4/16"))
    collector.run("ip", "route", "add", "default", "via", "10.1.0.1")
    return Pair(sender, collector)
