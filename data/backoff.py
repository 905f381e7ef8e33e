"""How long to wait before the next try: twice as long each time, up to a limit, and never all at the same moment."""

from collections.abc import Callable


class Backoff:
    """Counts tries that failed in a row."""

    def __init__(self, first_s: float, longest_s: float, chance: Callable[[], float]) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._chance = chance  # from 0 up to 1
        self._failures = 0

    def reset(self) -> None:
        """The last try went well."""
        self._failures = 0

    def wait_s(self) -> float:
        """The wait after one more failure: between half of the step and all of it."""
        # The exponent is bounded, so that a night of failures does not make a number without end.
        step_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return step_s * (0.5 + 0.5 * self._chance())
