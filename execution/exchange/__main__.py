"""`python -m execution.exchange --port P --state-dir DIR`: the exchange simulator as its own process."""

import argparse
import sys
from pathlib import Path

import structlog
import uvloop

from data.errors import SlipwayError
from execution.exchange.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m execution.exchange", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--state-dir", type=Path, required=True, help="folder of the exchange's books")
    arguments = parser.parse_args()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,  # plain: a traceback with locals would print secret keys
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        uvloop.run(serve(arguments.port, arguments.state_dir))
    except SlipwayError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
