"""What every vendor's stream tells a live feed, in the same words."""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from data.bar import Bar, Tick


class Subscribed(msgspec.Struct, frozen=True):
    """The vendor has agreed: what happens from now on will be told."""


class FinishedBar(msgspec.Struct, frozen=True):
    """A bar that will not change, or what a bar told before should have been."""

    bar: Bar
    corrected: bool = False


class Unreadable(msgspec.Struct, frozen=True):
    """A message that nobody understands; it is counted, and the stream goes on."""

    why: str


Told = Subscribed | Tick | FinishedBar | Unreadable


class Interrupted(Exception):
    """The stream broke off, or could not be had; another try may go well."""


class Stream(Protocol):
    """One vendor's live data for some symbols."""

    @property
    def name(self) -> str: ...

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def tells_bars(self) -> bool:
        """Whether the vendor finishes bars itself; where not, they are built from its trades."""
        ...

    def now_us(self) -> int:
        """The market's clock."""
        ...

    def told(self) -> AsyncGenerator[Told, None]:
        """One connection, from Subscribed to its end: Interrupted, or the end of all there is to tell."""
        ...
