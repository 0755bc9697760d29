"""`python -m vtapweb.simulator`: an Azure on a port of this machine, until SIGTERM or Ctrl-C."""

import argparse
import logging
import sys
from pathlib import Path

from vtapweb.simulator import estates
from vtapweb.simulator.asgi import HttpServer
from vtapweb.simulator.journal import Journal, JournalError
from vtapweb.simulator.server import Server
from vtapweb.simulator.throttle import Budgets


def main(arguments: list[str] | None = None) -> int:
    """Run until told to end; 0 then, 2 where it cannot start (with the reason on stderr)."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    rebuild = estates.builder_of(options.size)
    estate = rebuild()
    try:
        journal = Journal(options.state_dir, estate)
    except JournalError as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 2
    journal.load(estate)
    budgets = Budgets(
        options.reads_burst,
        options.reads_per_s,
        writes_burst=options.writes_burst,
        writes_per_s=options.writes_per_s,
        network_writes=options.network_writes,
    )
    server = Server(
        estate,
        page_size=options.page_size,
        budgets=budgets,
        rebuild=rebuild,
        journal=journal,
        operation_s=options.operation_s,
        retry_after_s=options.retry_after_s,
        agents_file=options.agents,
    )

    def tell(url: str, port: int) -> None:
        if options.port_file is not None:
            waiting = options.port_file.with_name(f"{options.port_file.name}.new")
            waiting.write_text(f"{port}\n")
            waiting.replace(options.port_file)
        sys.stdout.write(f"simulator ready: {url}\n")
        sys.stdout.flush()

    try:
        HttpServer(server, options.host, options.port, tell, background=server.player.run).run()
    finally:
        journal.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vtapweb.simulator", description="An ARM-compatible Azure of invented resources.")
    parser.add_argument("--size", choices=estates.SIZES, default="S", help="which estate (default S, the Contoso story)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; the control answers loopback peers whatever it is")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state-dir", type=Path, required=True, help="where changes are kept over a restart")
    parser.add_argument("--port-file", type=Path, help="gets the port's number once connections are accepted")
    parser.add_argument("--agents", type=Path, help="where vtapweb is and the tokens of the agents to play; may come to be later")
    parser.add_argument("--page-size", type=_positive, default=1_000, help="the most items of a page (default 1000)")
    parser.add_argument("--reads-burst", type=_positive, default=250, help="reads at once per principal and subscription (default ARM's 250)")
    parser.add_argument("--reads-per-s", type=float, default=25.0, help="how fast they come back (default ARM's 25)")
    parser.add_argument("--writes-burst", type=_positive, default=200, help="writes and deletes at once (default ARM's 200)")
    parser.add_argument("--writes-per-s", type=float, default=10.0, help="how fast they come back (default ARM's 10)")
    parser.add_argument("--network-writes", type=_positive, default=1_000, help="writes of Microsoft.Network in 5 minutes (default its 1000)")
    parser.add_argument("--operation-s", type=float, default=1.5, help="how long a write's operation takes (default 1.5)")
    parser.add_argument("--retry-after-s", type=int, default=2, help="what a running operation asks to wait (default 2)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
