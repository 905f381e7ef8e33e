"""The services' logs: their last lines, and what comes next."""

import os
import re
import shutil
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from data.errors import UsageError

POLL_S = 0.2
LOG_BYTES_MAX = 20_000_000  # of each service, and as much again for what was written before
COMPLAINT = re.compile(r"FATAL|PANIC|\b[Ee]rror\b|\w+Error:")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # some log in colours, wherever that goes


def last_words(said: str) -> str:
    """Why a process ended, as far as one line can tell: its last complaint, else its last line."""
    lines = COLOUR.sub("", said).strip().splitlines() or [""]
    return next((line for line in reversed(lines) if COMPLAINT.search(line)), lines[-1]).strip()[:300]


def make_room(log: Path) -> None:
    """Put a log that has grown large aside. Its writer appends, and goes on at the top of the emptied file."""
    with suppress(OSError):  # a full disk: the log is the least of its troubles
        if log.stat().st_size > LOG_BYTES_MAX:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def log_files(folder: Path, name: str | None) -> list[Path]:
    files = sorted(folder.glob("*.log"))
    if name is None:
        return files
    if chosen := [file for file in files if file.stem == name]:
        return chosen
    known = ", ".join(file.stem for file in files) or "none yet"
    raise UsageError(f"there is no log of {name!r}", f"There are: {known}.")


def last_lines(file: Path, count: int) -> list[str]:
    with file.open(errors="replace") as lines:
        return [line.rstrip("\n") for line in deque(lines, maxlen=count)]


def new_lines(files: list[Path]) -> Iterator[tuple[str, str]]:
    """Service and line, for as long as somebody reads; a log that was moved away is opened anew."""
    opened = {file: file.open(errors="replace") for file in files}
    for stream in opened.values():
        stream.seek(0, 2)
    try:
        while True:
            quiet = True
            for file, stream in opened.items():
                while line := stream.readline():
                    quiet = False
                    yield file.stem, line.rstrip("\n")
                if file.exists() and file.stat().st_size < stream.tell():
                    stream.close()
                    opened[file] = file.open(errors="replace")
            if quiet:
                time.sleep(POLL_S)
    finally:
        for stream in opened.values():
            stream.close()
