"""Commands in Redis' wire format, made once where they are sent often."""

from collections.abc import Mapping

import hiredis

Word = bytes | str | int


def command(*words: Word) -> bytes:
    """One command."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub means a tuple of one word
    return packed


class Addition:
    """XADD to one stream where all but one field stay what they are: `addition(value)` is the command."""

    def __init__(self, stream: str, length: int, field: str, others: Mapping[str, Word]) -> None:
        same: list[Word] = ["XADD", stream, "MAXLEN", "~", length, "*", field]
        rest = [word for pair in others.items() for word in pair]
        # The value is the word between them; it brings its own length, of which there are few.
        self._before = b"*%d\r\n" % (len(same) + 1 + len(rest)) + _words(*same)
        self._heads: dict[int, bytes] = {}
        self._after = b"\r\n" + _words(*rest)

    def __call__(self, value: bytes) -> bytes:
        length = len(value)
        head = self._heads.get(length)
        if head is None:
            head = self._heads[length] = self._before + b"$%d\r\n" % length
        return head + value + self._after


def _words(*words: Word) -> bytes:
    """The words without the count that begins a command."""
    return command(*words).partition(b"\r\n")[2] if words else b""
