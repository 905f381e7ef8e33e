"""What a sweep keeps on disk while it runs, so that one that was stopped or killed can go on where it was.

Parts are small parquet files, each written whole and then given its name; what was killed in the middle of one left a
file without a name.  They lie in a folder that is named by all that decides the result, so a sweep with other inputs
never finds them.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from data.errors import UsageError
from data.settings import get_settings
from execution.strategy import Rule
from execution.strategy.arrays import FloatArray

FLUSH_EVERY_S: Final = 1.0  # a kill loses about as much
KEPT_DAYS: Final = 14  # then nobody has continued it
_ORDINAL: Final = "set"


class Parts:
    """The finished sets of one sweep; `name` is asked for when something is first kept or looked for."""

    def __init__(self, name: Callable[[], str]) -> None:
        self._name = name
        self._folder: Path | None = None
        self._kept: dict[int, FloatArray] = {}
        self._fresh: list[tuple[int, FloatArray]] = []
        self._flushed = time.monotonic()
        self.trouble: str | None = None
        """why nothing can be kept, if so; the sweep itself goes on"""

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = _home() / self._name()
        return self._folder

    def find(self) -> int:
        """Read what an earlier process finished; how many sets that were."""
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                frame = pl.read_parquet(path)
            except (pl.exceptions.PolarsError, OSError):
                continue  # torn by a power cut; its sets are run again
            rows = frame.drop(_ORDINAL).to_numpy()
            self._kept.update(zip(frame[_ORDINAL].to_list(), rows, strict=True))
        if not self._kept:
            raise UsageError(
                "there is nothing to resume: no unfinished sweep of the same strategy, bars, sets and terms is kept "
                f"in {_home()}",
                "Run it without resume; a finished sweep keeps nothing.",
            )
        return len(self._kept)

    def kept(self, first: int, count: int) -> list[tuple[slice, FloatArray]]:
        """Of the `count` sets from `first` on, those that were found, in runs."""
        return [
            (slice(run.start - first, run.stop - first), np.stack([self._kept[each] for each in run]))
            for run in _runs(each for each in range(first, first + count) if each in self._kept)
        ]

    def add(self, first: int, tallies: FloatArray) -> None:
        """These are finished; written when it is time."""
        self._fresh.append((first, tallies))
        if time.monotonic() - self._flushed >= FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        self._flushed = time.monotonic()
        if not self._fresh or self.trouble:
            return
        ordinals = np.concatenate([np.arange(first, first + len(rows)) for first, rows in self._fresh])
        rows = np.concatenate([rows for _, rows in self._fresh])
        frame = pl.DataFrame({_ORDINAL: ordinals} | {str(at): rows[:, at] for at in range(rows.shape[1])})
        unnamed = self.folder / f"{uuid4().hex}.unfinished"
        try:
            if not self.folder.exists():
                _forget_the_old()
                self.folder.mkdir(parents=True, exist_ok=True)
            frame.write_parquet(unnamed)
            unnamed.rename(unnamed.with_suffix(".parquet"))
        except OSError as error:
            self.trouble = f"{self.folder} cannot be written: {error.strerror or error}"
            return
        self._fresh = []

    def discard(self) -> None:
        """The sweep is finished: nothing is left to continue."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def missing(count: int, done: Sequence[slice]) -> list[slice]:
    """The runs of sets that are not done."""
    have = {each for run in done for each in range(run.start, run.stop)}
    return [slice(run.start, run.stop) for run in _runs(each for each in range(count) if each not in have)]


def sweep_name(
    strategy: type[Rule], bars: pl.DataFrame, terms: Mapping[str, Any], tried: Iterable[str]
) -> str:
    """A hash of all that decides a sweep's numbers, the code that computes them included."""
    from research.records.inputs import plain, written
    from research.records.provenance import content_hash

    known = written(strategy)
    digest = hashlib.sha256()
    told = {
        "class": known.name,
        "source": known.digest,
        "bars": content_hash(bars),
        "terms": plain(dict(terms)),
    }
    at_top = getattr(sys.modules.get(strategy.__module__), strategy.__name__, None) is strategy
    if known.source is None or not at_top:
        told["process"] = _in_this_process(strategy)
    digest.update(json.dumps(told, sort_keys=True).encode())
    digest.update(_code_digest().encode())
    for each in tried:
        digest.update(each.encode() + b"\0")
    return digest.hexdigest()[:24]


_tokens: WeakKeyDictionary[type[Rule], str] = WeakKeyDictionary()


def _in_this_process(strategy: type[Rule]) -> str:
    """A class that is not to be found in a file is known by nothing but itself: it can be continued only where it was
    defined."""
    return _tokens.setdefault(strategy, uuid4().hex)


@cache
def _code_digest() -> str:
    digest = hashlib.sha256()
    for package in ("research.passes", "execution.strategy"):
        for path in sorted(files(package).iterdir(), key=lambda each: each.name):
            if path.name.endswith(".py"):
                digest.update(path.read_bytes())
    digest.update(
        repr([platform.machine(), *(version(each) for each in ("numba", "numpy", "ta-lib"))]).encode()
    )
    return digest.hexdigest()


def _runs(numbers: Iterable[int]) -> list[range]:
    runs: list[range] = []
    for each in numbers:
        if runs and runs[-1].stop == each:
            runs[-1] = range(runs[-1].start, each + 1)
        else:
            runs.append(range(each, each + 1))
    return runs


def _home() -> Path:
    return get_settings().state_dir / "sweeps"


def _forget_the_old() -> None:
    if not _home().exists():
        return
    oldest = time.time() - KEPT_DAYS * 86_400
    for folder in os.scandir(_home()):
        if folder.is_dir() and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder.path, ignore_errors=True)
