"""Connections from here to servers that people name: only to hosts that the installation's settings name.

Rule 1: an address that is not public only where the list holds its network. Rule 2: the connection goes to the address that was judged, so a name
that resolves to something else a moment later leads nowhere. Rule 3: nobody follows a redirect.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RefusedError(Exception):
    """Must not be sent there; trying again changes nothing."""


class NotSentError(Exception):
    """It did not arrive; later it may."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The hosts of one setting: names in lower case, perhaps with a port, and networks. `allows_http`: without TLS too, not to loopback only."""

    setting: str
    names: frozenset[str]
    networks: tuple[Network, ...]
    allows_http: bool = False

    @classmethod
    def of(cls, setting: str, hosts: Sequence[str], *, allows_http: bool = False) -> "Gate":
        names, networks = set(), []
        for one in hosts:
            try:
                networks.append(ipaddress.ip_network(one, strict=False))
            except ValueError:
                names.add(one.lower())
        return cls(setting, frozenset(names), tuple(networks), allows_http)

    def checked_url(self, url: str) -> SplitResult:
        """The parts of an address that may be asked or sent to. Raises RefusedError with a sentence for people."""
        try:
            parts = urlsplit(url.strip())
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise RefusedError("This is no address of a web server.") from error
        if not self.names and not self.networks:
            raise RefusedError(f"No host may be sent to: {self.setting} is empty.")
        if not host or parts.username or parts.password or parts.scheme not in {"https", "http"}:
            raise RefusedError("Give an https:// address without user and password.")
        literal = _address(host)
        if literal is None and host not in self.names and f"{host}:{port}" not in self.names:
            raise RefusedError(f"{host} is not in {self.setting}.")
        if literal is not None and not any(literal in one for one in self.networks):
            raise RefusedError(f"{host} lies in none of the networks of {self.setting}.")
        if parts.scheme == "http" and not self.allows_http and not (literal is not None and literal.is_loopback):
            raise RefusedError("Plain http is for loopback only. Give an https:// address.")
        return parts

    def reachable_address(self, host: str, port: int) -> str:
        """The first address of the host, after all were judged. Raises RefusedError for one that must not be reached, NotSentError for none."""
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)]
        except OSError as error:
            raise NotSentError(f"{host} has no address: {error}") from error
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            address = getattr(address, "ipv4_mapped", None) or address
            if not address.is_global and not any(address in one for one in self.networks):
                raise RefusedError(f"{host} leads to {address}, which is not public and in no network of {self.setting}.")
        return found[0]

    def connection(self, parts: SplitResult, *, timeout_s: float) -> http.client.HTTPConnection:
        """A connection to that very address; the certificate is judged by the name. Raises RefusedError, NotSentError and OSError."""
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        client = http.client.HTTPConnection(self.reachable_address(host, port), port, timeout=timeout_s)
        client.connect()
        if parts.scheme == "https" and client.sock is not None:
            client.sock = ssl.create_default_context().wrap_socket(client.sock, server_hostname=host)
        return client


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
