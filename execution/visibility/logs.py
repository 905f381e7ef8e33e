"""Structured logs: one line of JSON per event where lines are collected, words for a person at a terminal."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from execution.flow.happenings import Filled, Halted, Happening, Moved, Refused, Took
from execution.settings import ExecutionSettings

SECRET_WORDS: Final = ("secret", "password", "token", "api_key", "key_id", "url", "authorization")
MASK: Final = "**********"

_log = structlog.get_logger()


def configure(settings: ExecutionSettings) -> None:
    """Everything that this process logs goes to stderr from here on, with what is bound to its task."""
    watched = sys.stderr.isatty()
    level = settings.log_level or ("warning" if watched else "info")
    render: Any = (
        structlog.dev.ConsoleRenderer() if watched else structlog.processors.JSONRenderer(default=str)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,  # plain: a traceback with locals would print secret keys
            mask_secrets,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )


def mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last line of defence: nobody should log these, and if somebody does, the value is not told."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = MASK
    return event


def log_orders(happening: Happening, _at_ns: int) -> None:
    """A line for each thing that happens to an order; the steps in between are for debugging."""
    match happening:
        case Took(order, step, seconds, detail, part):
            told = {"step": step, "ms": round(seconds * 1e3, 3), "detail": detail, "part": part}
            _log.debug("step", **_names(order), **{name: value for name, value in told.items() if value})
        case Moved(order=order, state=state, reason=reason):
            _log.info("order", **_names(order), state=str(state), **({"reason": reason} if reason else {}))
        case Filled(order=order, execution_id=execution, qty=qty, price=price, heard_by=heard_by):
            _log.info(
                "fill", **_names(order), execution_id=execution, qty=qty, price=price, heard_by=heard_by
            )
        case Refused(order, limit, why):
            _log.info("refused", **_names(order), limit=limit, why=why)
        case Halted(symbol, reason):
            _log.error("the symbol is halted", symbol=symbol, reason=reason)
        case _:
            return


def _names(order: Any) -> dict[str, str]:
    return {"coid": order.coid, "symbol": order.symbol, "strategy": order.strategy}
