"""A bar under the cell of a notebook while work runs; where no notebook is, there is none."""

import sys
import time
from html import escape
from typing import Any, Final

from data.progress import Progress

SHOW_AFTER_S: Final = 0.5  # what is over sooner needs no bar


def notebook_bar(*, at_once: bool = False) -> Progress | None:
    """Shows done, total and words in one line, and takes it away once all is done."""
    if "IPython" not in sys.modules:
        return None
    from IPython import display as showing
    from IPython.core.getipython import get_ipython

    screen: Any = showing  # without types
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    show_from = time.perf_counter() + (0.0 if at_once else SHOW_AFTER_S)
    handle: Any = None

    def show(done: int, total: int, what: str) -> None:
        nonlocal handle
        over = done >= total
        if handle is not None:
            handle.update(screen.HTML("" if over else _line(done, total, what)))
        elif not over and time.perf_counter() >= show_from:
            handle = screen.display(screen.HTML(_line(done, total, what)), display_id=True)

    return show


def _line(done: int, total: int, what: str) -> str:
    return (
        f'<progress value="{done}" max="{total}" style="width:16em"></progress> <small>{escape(what)}</small>'
    )
