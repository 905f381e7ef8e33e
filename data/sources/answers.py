"""What a vendor's answer says besides its data: why it is an error, and when to ask again."""

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec

from data.errors import SlipwayError, Unavailable, UsageError

_SAID_CHARS_MAX: Final = 200  # a sentence of the vendor's, never a page
_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class NotThere(UsageError):
    """The vendor has no such thing."""


class TryAgain(Exception):
    """This answer will not do, and the next one may."""

    def __init__(
        self,
        reason: str,
        fix: str | None = None,
        *,
        wait_s: float | None = None,
        error: type[SlipwayError] = Unavailable,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix
        self.wait_s = wait_s  # what the vendor asks for
        self.error = error  # what it becomes when we lose patience


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came, with its address without the query."""

    url: str
    status: int
    headers: httpx.Headers
    content: bytes

    def said(self) -> str:
        """The vendor's own words in one line: out of JSON, out of an error page, or the beginning of whatever it is."""
        try:
            told = msgspec.json.decode(self.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            told = None
        if isinstance(told, dict):
            text = str(told.get("message") or told.get("retMsg") or told)
        else:
            text = self.content.decode(errors="replace")
            title = _TITLE.search(text)
            text = title[1] if title else text
        words = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return words[:_SAID_CHARS_MAX].rstrip(".") or "nothing more"


def asked_wait_s(headers: httpx.Headers, now_s: float) -> float | None:
    """How long the vendor asks us to wait: Retry-After in seconds or as a date, or the moment of X-RateLimit-Reset."""
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    if after:
        try:
            moment = parsedate_to_datetime(after)
        except ValueError:
            return None
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now_s)
    reset = headers.get("x-ratelimit-reset", "").strip()
    return max(0.0, float(reset) - now_s) if reset.isdecimal() else None
