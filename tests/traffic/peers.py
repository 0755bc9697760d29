"""Real senders and real servers: Debian's prometheus and victoria-metrics as processes of the test, and an exporter whose counters are known.

The exporter's counters grow evenly with time and carry the moment they are of, so a rate is known however late anybody reads them.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time

from tests.waiting import eventually

OCTETS_PER_S, PACKETS_PER_S, DROPS_PER_S = 105_000, 100, 2
INNER_BITS_PER_S = (OCTETS_PER_S - 50 * PACKETS_PER_S) * 8
PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus", "victoria-metrics": "victoria-metrics", "vmagent": "victoria-metrics"}
# What the machine receives on its card, and what must not be counted: its loopback and a container's end.
COUNTERS = {
    'node_network_receive_bytes_total{device="eth0"': OCTETS_PER_S,
    'node_network_receive_packets_total{device="eth0"': PACKETS_PER_S,
    'node_network_receive_drop_total{device="eth0"': DROPS_PER_S,
    'node_network_receive_bytes_total{device="lo"': 9_999_999,
    'node_network_receive_packets_total{device="veth1"': 9_999,
    'node_cpu_seconds_total{cpu="0"': 1,
}


def program(name: str) -> str:
    """The path of a program. Fails with the package that has it."""
    found = shutil.which(name) or str(Path(sys.prefix) / "peers" / "usr" / "bin" / name)
    assert Path(found).is_file(), f"this test needs {name} of the Debian package {PACKAGES[name]}: bin/test fetches it, or install it"
    return found


@contextmanager
def running(command: Sequence[str], ready_url: str) -> Iterator[None]:
    """A program until the test ends; it is ready when its address answers. Its last words are in the failure."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

        def is_ready() -> bool:
            if process.poll() is not None:
                said.seek(0)
                raise AssertionError(f"{command[0]} ended: {said.read()[-2000:].decode(errors='replace')}")
            return answers(ready_url)

        try:
            eventually(is_ready, within_s=60, why=f"{command[0]} answers at {ready_url}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a program of this test on loopback
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def exposition(at_s: float, *, labels: str = "", stamp: str = "") -> str:
    """The exporter's page at one moment. `labels` are added to each series."""
    ending = f" {stamp}" if stamp else ""
    return "".join(f"{series}{labels}}} {rate * at_s:.0f}{ending}\n" for series, rate in COUNTERS.items())


@contextmanager
def exporter() -> Iterator[int]:
    """The port of a page of counters, each with the millisecond it is of."""
    started_s = time()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now_s = time()
            body = exposition(now_s - started_s, stamp=str(round(now_s * 1000))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_said: object) -> None:
            """Says nothing: output is a failure."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """A port that was free a moment ago, for programs that do not say which one they took."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])


def history(*, from_s: int, to_s: int, every_s: int, instance: str) -> list[str]:
    """Lines of the exporter's page of each moment in the past, oldest first within a series; with times in seconds, as OpenMetrics has them."""
    moments = range(from_s, to_s, every_s)
    return [line for series, rate in COUNTERS.items() for line in (f'{series},instance="{instance}"}} {rate * (at - from_s)} {at}' for at in moments)]


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[int]:
    """A Prometheus, and its port."""
    port = free_port()
    (folder / "prometheus.yml").write_text(config)
    command = [program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with running(command, f"http://127.0.0.1:{port}/-/ready"):
        yield port


@contextmanager
def prometheus_of(folder: Path, lines: Sequence[str]) -> Iterator[int]:
    """A Prometheus that holds these lines of the past."""
    kinds = "".join(f"# TYPE {name} counter\n" + "\n".join(of) + "\n" for name, of in _by_name(lines).items())
    (folder / "past.txt").write_text(f"{kinds}# EOF\n")
    command = [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(folder / "past.txt"), str(folder / "data")]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert made.returncode == 0, made.stderr
    with prometheus(folder, "global: {scrape_interval: 1h}\n") as port:
        yield port


@contextmanager
def victoria_metrics_of(folder: Path, lines: Sequence[str]) -> Iterator[int]:
    """A VictoriaMetrics that holds these lines of the past."""
    port = free_port()
    command = [program("victoria-metrics"), f"-storageDataPath={folder}/vm", f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=ERROR"]
    with running([*command, "-retentionPeriod=1", "-memory.allowedBytes=64MB"], f"http://127.0.0.1:{port}/health"):
        body = "".join(f"{line}000\n" for line in lines).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/import/prometheus", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - as above
            pass
        assert answers(f"http://127.0.0.1:{port}/internal/force_flush")
        yield port


def _by_name(lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(line.partition("{")[0], []).append(line)
    return found
