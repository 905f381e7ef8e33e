"""One watcher that tells several, behind the back of what is watched: it waits for none and is harmed by none.

Whoever trades pays for putting what happened on a list.  It is told when the event loop turns next, which is after the
request that was about to be sent.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from data.orders import OrderState
from execution.flow.happenings import Happening, Moved

REMEMBERED_MAX: Final = 100_000  # orders; of an older one a state may be told twice

Listener = Callable[[Happening, int], None]
"""hears what happened, and when in nanoseconds of the wall's clock"""

_log = structlog.get_logger()


class FanOut:
    """Tells every listener what happened; that an order is where it was before is told to nobody."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = tuple(listeners)
        self._waiting: list[tuple[Happening, int]] = []
        self._last: dict[str, OrderState] = {}  # the longest unchanged first
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()  # what is logged later is not of the order that woke us

    def __call__(self, happening: Happening) -> None:
        if not self._waiting:
            self._loop.call_soon(self.tell, context=self._context)
        self._waiting.append((happening, time.time_ns()))

    def tell(self) -> None:
        """Tell what waits."""
        waiting, self._waiting = self._waiting, []
        for happening, at_ns in waiting:
            if isinstance(happening, Moved) and not self._is_news(happening):
                continue
            for listener in self._listeners:
                try:
                    listener(happening, at_ns)
                except Exception:  # whoever watches must not be able to stop an order
                    _log.exception("a watcher failed", happening=type(happening).__name__)

    def _is_news(self, moved: Moved) -> bool:
        coid = moved.order.coid
        if self._last.get(coid) == moved.state:
            return False
        self._last.pop(coid, None)
        self._last[coid] = moved.state
        if len(self._last) > REMEMBERED_MAX:
            del self._last[next(iter(self._last))]
        return True
