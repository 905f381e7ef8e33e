"""`python -m api --port P`: the monitor in the foreground."""

import argparse
import socket
import sys
from contextlib import suppress

from data.errors import SlipwayError, Unavailable


def run(host: str | None = None, port: int | None = None) -> None:
    """Make sure that somebody can log in, then serve until told to stop."""
    import uvicorn

    from api.app import create_app
    from api.security import ensure_admin
    from api.settings import get_api_settings
    from data.settings import get_settings

    settings = get_api_settings()
    app = create_app(settings)
    ensure_admin(get_settings().postgres())
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=16 * 1024,  # what viewers send is a token and a word
        ws_max_queue=8,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        ws_per_message_deflate=False,  # costs more than the loopback or a LAN gains
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        log_level="info",
    )
    with _listen(host or settings.host, port or settings.port) as listening, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Unavailable(
            f"the monitor cannot listen on {host}:{port}: {error.strerror or error}",
            "Stop what uses it (`./slipway status`), or choose another with --port or SLIPWAY_API_PORT.",
        ) from None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m api", description="The trade monitor.")
    parser.add_argument("--host", help="address to listen on (SLIPWAY_API_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (SLIPWAY_API_PORT)")
    given = parser.parse_args()
    try:
        run(given.host, given.port)
    except SlipwayError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
