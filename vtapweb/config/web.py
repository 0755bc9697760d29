"""`python -m vtapweb.config.web [--fd N | --host H --port P]`: the web process. uvicorn with uvloop, logs through our own chain."""

import argparse
import os
import socket

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vtapweb.config.settings")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vtapweb.config.web")
    parser.add_argument("--fd", type=int, help="an open listening socket (from the supervisor)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()

    import uvicorn
    from django.conf import settings

    from vtapweb.config.asgi import application
    from vtapweb.config.environment import require_cloud
    from vtapweb.config.request_id import with_request_id
    from vtapweb.config.wire import QuietHttp, WiredWebSocket
    from vtapweb.traffic.garbage import settle

    require_cloud(settings.CLOUD)
    config = uvicorn.Config(
        with_request_id(application),
        host=options.host,
        port=options.port,
        loop="uvloop",
        http=QuietHttp,
        ws=WiredWebSocket,
        ws_per_message_deflate=False,  # measured: compressing per client costs more than all the rest of a message
        ws_max_size=1 << 20,
        lifespan="off",
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.TRUSTED_PROXIES),
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_graceful_shutdown=3,
        backlog=2048,
    )
    server = uvicorn.Server(config)
    settle()
    server.run(sockets=None if options.fd is None else [socket.socket(fileno=options.fd)])


if __name__ == "__main__":
    main()
