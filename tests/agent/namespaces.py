"""Network namespaces for tests: made under names of this process, joined by veth, removed at the end.

A socket belongs to the namespace it was made in, whoever uses it: so a test opens its sockets `inside` one and uses them from outside.
"""

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
TOOLS = ("ip", "nft", "tc", "ethtool", "setpriv")
SEARCHED = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


@contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread is in that namespace within the block; so is what it starts, and what it opens stays there."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespace(there)
        try:
            yield
        finally:
            _set_namespace(here)
    finally:
        os.close(there)
        os.close(here)


def _set_namespace(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@dataclass(frozen=True)
class Namespace:
    """One machine of a test."""

    name: str

    def run(self, *command: str, stdin: str = "") -> str:
        """What the command prints there. Raises AssertionError with what it said when it fails."""
        with inside(self.name):
            done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env={**os.environ, "PATH": SEARCHED})
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def packet_socket(self, interface: str = "eth0") -> socket.socket:
        """Sends whole frames there."""
        with inside(self.name):
            one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        one.bind((interface, 0))
        return one

    def udp_socket(self, address: str, port: int = 0) -> socket.socket:
        with inside(self.name):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((address, port))
        return one


class Lab:
    """Makes namespaces and cables; all gone when it is closed."""

    def __init__(self) -> None:
        missing = [tool for tool in TOOLS if shutil.which(tool, path=SEARCHED) is None]
        advice = "Run as root on Linux with nftables, iproute2, ethtool and setpriv, or leave these tests out by name: --without-namespaces"
        if missing:
            pytest.fail(f"tests in network namespaces need {', '.join(missing)}. {advice}")
        self._stack = ExitStack()
        self._advice = advice

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def namespace(self) -> Namespace:
        """A machine with loopback and no other interface, without IPv6, so that nothing but the test speaks."""
        name = f"vt-{os.getpid()}-{next(_numbers)}"
        made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.fail(f"this machine cannot make network namespaces ({made.stderr.strip()}). {self._advice}")
        self._stack.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
        machine = Namespace(name)
        with inside(name):
            for what in ("all", "default"):
                Path(f"/proc/sys/net/ipv6/conf/{what}/disable_ipv6").write_text("1", encoding="ascii")
        machine.run("ip", "link", "set", "lo", "up")
        return machine

    def cable(self, one: tuple[Namespace, str, str], other: tuple[Namespace, str, str]) -> None:
        """Joins two machines by (machine, interface, address/prefix) each. Their neighbours are fixed: nobody asks for a MAC."""
        (a, a_name, a_address), (b, b_name, b_address) = one, other
        subprocess.run(["ip", "link", "add", a_name, "netns", a.name, "type", "veth", "peer", "name", b_name, "netns", b.name], check=True)
        for machine, name, address in (one, other):
            machine.run("ip", "addr", "add", address, "dev", name)
            machine.run("ip", "link", "set", name, "mtu", "3000", "up")
            machine.run("ethtool", "-K", name, "gro", "off", "gso", "off", "tso", "off")
        for machine, name, neighbour, mac in ((a, a_name, b_address, mac_of(b, b_name)), (b, b_name, a_address, mac_of(a, a_name))):
            machine.run("ip", "neigh", "replace", neighbour.split("/")[0], "lladdr", mac, "dev", name)


def mac_of(machine: Namespace, interface: str = "eth0") -> str:
    """As text with colons."""
    words = machine.run("ip", "-o", "link", "show", interface).split()
    return words[words.index("link/ether") + 1]
