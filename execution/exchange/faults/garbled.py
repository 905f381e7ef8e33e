"""Bodies that no client expects, made of the ones that it does."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec

from execution.exchange.faults.knobs import FaultKind

STATUS = "under_review"  # none of Alpaca's eighteen
HTML = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"


def garbled(kind: FaultKind, body: bytes) -> bytes:
    """The JSON body as this fault has it."""
    match kind:
        case FaultKind.HTML_REPLY:
            return HTML
        case FaultKind.EMPTY_REPLY:
            return b""
        case FaultKind.TRUNCATED_REPLY:
            return body[: len(body) // 2]
        case _:
            return msgspec.json.encode(_walked(msgspec.json.decode(body), _CHANGES[kind]))


def _flipped(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if isfinite(number) else value
    return value


def _with_a_field(value: Any) -> Any:
    return {**value, "introduced_later": {"version": 2}} if isinstance(value, dict) else value


def _with_a_status(value: Any) -> Any:
    if isinstance(value, dict) and "client_order_id" in value and "status" in value:
        return {**value, "status": STATUS}
    return value


_CHANGES: dict[FaultKind, Callable[[Any], Any]] = {
    FaultKind.FLIPPED_NUMBERS: _flipped,
    FaultKind.UNKNOWN_FIELDS: _with_a_field,
    FaultKind.UNKNOWN_STATUS: _with_a_status,
}
GARBLING = (FaultKind.HTML_REPLY, FaultKind.EMPTY_REPLY, FaultKind.TRUNCATED_REPLY, *_CHANGES)


def _walked(value: Any, change: Callable[[Any], Any]) -> Any:
    """The value with every part of it changed."""
    if isinstance(value, dict):
        value = {name: _walked(part, change) for name, part in value.items()}
    elif isinstance(value, list):
        value = [_walked(part, change) for part in value]
    return change(value)
