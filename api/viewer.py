"""One open stream: a bounded queue of frames and when it ends.  Nobody ever waits for a slow viewer."""

import asyncio
from dataclasses import dataclass
from typing import Final

# Why the server closes: 4000 + the HTTP status that means the same.
BAD_MESSAGE: Final = 4400
NOT_AUTHENTICATED: Final = 4401
TOO_SLOW: Final = 4408
DEFECT: Final = 4500
UNAVAILABLE: Final = 4503


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a stream ends."""

    code: int
    reason: str
    word: str  # the error's code


class Viewer:
    """Takes frames for one browser.  Full means dropped: it reconnects and gets a fresh snapshot."""

    def __init__(self, account: str, frames_max: int) -> None:
        self.account = account
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._frames: asyncio.Queue[str] = asyncio.Queue(frames_max)
        self._held: list[str] | None = None

    def hold(self) -> None:
        """While a snapshot is being taken, changes wait: they must not arrive before it."""
        self._held = []

    def release(self, snapshot: str) -> None:
        """The snapshot, then what waited; a change that it holds already is one the viewer skips by its number."""
        held, self._held = self._held or [], None
        for frame in (snapshot, *held):
            self.offer(frame)

    def offer(self, frame: str) -> None:
        if self._held is not None and len(self._held) < self._frames.maxsize:
            self._held.append(frame)
            return
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.end(TOO_SLOW, "this viewer does not keep up", "too_slow")

    def offer_if_idle(self, frame: str) -> None:
        """For what the next frame replaces anyway, such as prices: a busy viewer does without."""
        if self._frames.qsize() < self._frames.maxsize // 4:
            self.offer(frame)

    async def next(self) -> str:
        return await self._frames.get()

    def end(self, code: int, reason: str, word: str) -> None:
        if not self.ending.done():
            self.ending.set_result(Ending(code, reason, word))
