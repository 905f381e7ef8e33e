"""The exchange as a running server: routes together, one port on 127.0.0.1, a clean end."""

import asyncio
import signal
import socket
from pathlib import Path

from aiohttp import web

from data.errors import Unavailable
from execution.exchange import accounts, simulation, stream, trading
from execution.exchange.books import Books
from execution.exchange.faults import routes as fault_routes
from execution.exchange.faults.door import door
from execution.exchange.gate import EXCHANGE, one_error_shape
from execution.exchange.host import Exchange
from execution.exchange.marketdata import routes as market_routes
from execution.exchange.marketdata import stream as market_stream
from execution.exchange.marketdata.market import Market
from execution.exchange.marketdata.tape import Tape

BODY_BYTES_MAX = 4 << 20  # one instant of bars for tens of thousands of symbols
SHUTDOWN_S = 1.0


def build_app(books: Books, tape: Tape) -> web.Application:
    app = web.Application(middlewares=[one_error_shape, door], client_max_size=BODY_BYTES_MAX)
    app[EXCHANGE] = Exchange(books)
    app[market_routes.MARKET] = Market(tape)
    for room in (trading, accounts, simulation, stream, fault_routes, market_routes, market_stream):
        app.add_routes(room.routes)

    async def cut_streams(app: web.Application) -> None:
        for hosted in app[EXCHANGE].hosted:
            hosted.drop_listeners()
            app[market_routes.MARKET].drop_subscribers(hosted.id)

    app.on_shutdown.append(cut_streams)
    return app


async def serve(port: int, state_dir: Path) -> None:
    """Serves until SIGTERM or SIGINT; prints the address once it answers (port 0: the system chooses)."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    listening = _listen(port)
    books = Books(state_dir / "books.db")
    tape = Tape(state_dir / "market.db")
    runner = web.AppRunner(build_app(books, tape), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    print(f"exchange ready on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    await stop.wait()
    await runner.cleanup()
    tape.close()
    books.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise Unavailable(
            f"port {port} on 127.0.0.1 cannot be used ({error.strerror})",
            "Stop what uses it, or give the exchange another --port (0 chooses a free one).",
        ) from error
    return listening
