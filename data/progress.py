"""How work that takes its time tells of itself."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]  # done, total, what


def silent(done: int, total: int, what: str) -> None:
    """Nobody watches."""
