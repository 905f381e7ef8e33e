"""Reads streams through a consumer group: every entry in order to one callback, then acknowledged.

The next read goes out together with the acknowledgement of the last one: an entry costs one write and one wake-up.
Nothing is read ahead: while whoever decides is busy, entries wait in their streams, which are bounded.

What a group gives over bare reading is knowledge. After a lost connection the group still has what was on its way, and
tells it again; when Redis was emptied the group is gone, so that the loss is noticed, said, and healed from there on.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from hiredis import ReplyError

from data.bus import Lost
from data.swift.link import Link
from data.swift.resp import command
from data.swift.wire import Reply

BLOCK_MS: Final = 1_000  # below the patience of a link: an empty answer is a sign of life
COUNT: Final = 256  # entries of each stream in one answer

OnEntry = Callable[[bytes, bytes, list[bytes]], None]
"""stream, id, and the fields as name, value, name, value …"""

Entries = list[Any]
"""[id, fields] each, as they were parsed; no fields where an entry was trimmed before it was read"""

_log = structlog.get_logger()


class GroupReader:
    """The one consumer of a group of its own; nobody else gets its entries."""

    def __init__(
        self, link: Link, streams: Sequence[str], family: str, member: str, on_entry: OnEntry
    ) -> None:
        """Groups of the same family and another member are what earlier lives left; they are removed."""
        self._link = link
        self._streams = [stream.encode() for stream in streams]
        self._family = f"{family}.".encode()
        self._group = self._family + member.encode()
        self._on_entry = on_entry
        reading = ("XREADGROUP", "GROUP", self._group, member, "COUNT", COUNT)
        self._read_new = command(
            *reading, "BLOCK", BLOCK_MS, "STREAMS", *self._streams, *[b">"] * len(streams)
        )
        self._read_again = command(*reading, "STREAMS", *self._streams, *[b"0"] * len(streams))
        # Where one entry is acknowledged, which is nearly always, its id is all that is added.
        self._acknowledge_one = {
            stream: command("XACK", stream, self._group, b"").removesuffix(b"$0\r\n\r\n")
            for stream in self._streams
        }
        self.begun = asyncio.Event()  # what is added from here on is told
        self._again = False  # what was told before a connection was lost comes first
        self._held = False
        self._busy = False
        self._seen: dict[bytes, bytes] = {}  # the newest id of each stream
        self._read: list[tuple[bytes, Entries]] = []  # what the last answer told
        self.counted: Counter[str] = Counter()
        link.on_up = self._up
        if link.is_up:
            self._up()

    def hold(self) -> None:
        """For the callback: read on only after `done`."""
        self._held = True

    def done(self) -> None:
        """What was held is dealt with: acknowledge it and read on; nothing happens where nothing is held."""
        if self._busy:
            self._go_on()

    def _go_on(self) -> None:
        self._busy = self._held = False
        commands = [self._acknowledgement(stream, entries) for stream, entries in self._read]
        commands.append(self._read_again if self._again else self._read_new)
        answers = [*[self._link.note] * len(self._read), self._heard]
        self._read.clear()
        try:
            self._link.send(b"".join(commands), answers)
        except Lost:
            return  # the next connection is told again what was not acknowledged, and goes on from there

    # -- how it begins, and begins again

    def _up(self) -> None:
        if not self.begun.is_set():
            questions = b"".join(command("XINFO", "GROUPS", stream) for stream in self._streams)
            answers = [
                *[self._remover_of_leftovers(stream) for stream in self._streams],
                *[self._created] * (len(self._streams) - 1),
                self._created_all,
            ]
            with contextlib.suppress(Lost):  # the next connection makes them
                self._link.send(questions + self._creation(b"$"), answers)
        else:
            self._again = True
            if not self._busy:
                self._go_on()

    def _creation(self, start: bytes) -> bytes:
        return b"".join(
            command("XGROUP", "CREATE", stream, self._group, start, "MKSTREAM") for stream in self._streams
        )

    def _created(self, reply: Reply) -> None:
        if not (isinstance(reply, ReplyError) and str(reply).startswith("BUSYGROUP")):
            self._link.note(reply)

    def _created_all(self, reply: Reply) -> None:
        if isinstance(reply, Lost):
            return  # the next connection makes them
        self._created(reply)
        self.begun.set()
        self._go_on()

    def _remover_of_leftovers(self, stream: bytes) -> Callable[[Reply], None]:
        def remove(groups: Reply) -> None:
            if not isinstance(groups, list):
                return  # no such stream yet
            names = [group[group.index(b"name") + 1] for group in groups]
            old = [name for name in names if name.startswith(self._family) and name != self._group]
            removal = b"".join(command("XGROUP", "DESTROY", stream, name) for name in old)
            with contextlib.suppress(Lost):  # our next life finds them again
                self._link.send(removal, [self._link.note] * len(old))

        return remove

    def _heal(self) -> None:
        """The group is gone, and with it everything that nobody had read; what is there now came later."""
        self.counted["emptied"] += 1
        _log.warning("redis was emptied; what was not read is lost", group=self._group.decode())
        self._seen.clear()  # ids may begin anew
        self._read.clear()
        self._again = True  # where only some streams are gone, others may still have told what never arrived
        try:
            self._link.send(self._creation(b"0"), [self._created] * len(self._streams))
        except Lost:
            return  # the next connection finds no group, and comes here again
        self._go_on()

    # -- what is read

    def _heard(self, reply: Reply) -> None:
        if isinstance(reply, list):
            for stream, entries in reply:
                new = self._unseen(stream, entries) if self._again else entries
                for entry_id, fields in new:
                    self._on_entry(stream, entry_id, fields)
                if new:
                    self._seen[stream] = new[-1][0]
                if entries:
                    self.counted["entries"] += len(new)
                    self._read.append((stream, entries))
        elif isinstance(reply, ReplyError):
            self._refused(reply)
            return
        elif isinstance(reply, Lost):
            return  # the next connection goes on
        if not self._read:
            self._again = False
        self._busy = self._held
        if not self._held:
            self._go_on()

    def _unseen(self, stream: bytes, entries: Entries) -> Entries:
        """Of what is told again: not what was dealt with and only its acknowledgement lost, nor what was trimmed."""
        newest = _parsed(self._seen.get(stream, b"0-0"))
        unseen = [entry for entry in entries if _parsed(entry[0]) > newest]
        there = [entry for entry in unseen if entry[1] is not None]
        self.counted["trimmed"] += len(unseen) - len(there)
        return there

    def _refused(self, error: ReplyError) -> None:
        kind = str(error).partition(" ")[0]
        if kind in ("NOGROUP", "UNBLOCKED"):
            self._heal()
        else:  # loading, a replica, a key of another kind: another connection, after a wait, may find it mended
            self._link.note(error)
            self._link.drop(str(error))

    def _acknowledgement(self, stream: bytes, entries: Entries) -> bytes:
        if len(entries) == 1:
            entry_id: bytes = entries[0][0]
            return b"%b$%d\r\n%b\r\n" % (self._acknowledge_one[stream], len(entry_id), entry_id)
        return command("XACK", stream, self._group, *[entry[0] for entry in entries])


def _parsed(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)
