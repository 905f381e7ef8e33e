"""Where bars came from: remembered by their content, so that copies of a frame keep their origin and edits lose it."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from threading import Lock
from typing import Any, Final

import blake3
import numpy as np
import polars as pl

from data import catalog, query
from data.actions import Adjustment
from data.errors import Corrupt, Unavailable
from data.postgres import connect
from data.query import Moment
from data.settings import get_settings
from data.storage import Storage
from execution.strategy.arrays import COLUMNS

REMEMBERED_MAX: Final = 256  # questions of one process; each is a few hundred bytes and its list of files


@dataclass(frozen=True, slots=True)
class Provenance:
    """The question to which some bars were the answer, and the files that held it."""

    symbols: tuple[str, ...]
    timeframe: str
    start: Moment | None
    end: Moment | None
    source: str
    snapshot: int
    resample_to: str | None
    adjusted: Adjustment
    files: tuple[tuple[str, str], ...]
    """path and sha256 of each"""

    @property
    def shown_timeframe(self) -> str:
        return self.resample_to or self.timeframe

    def as_json(self) -> dict[str, Any]:
        return {
            "symbols": list(self.symbols),
            "timeframe": self.timeframe,
            "start": _written(self.start),
            "end": _written(self.end),
            "source": self.source,
            "snapshot": self.snapshot,
            "resample_to": self.resample_to,
            "adjusted": self.adjusted,
            "files": [{"path": path, "sha256": digest} for path, digest in self.files],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Provenance":
        return cls(
            tuple(told["symbols"]),
            told["timeframe"],
            _moment(told["start"]),
            _moment(told["end"]),
            told["source"],
            told["snapshot"],
            told["resample_to"],
            told["adjusted"],
            tuple((file["path"], file["sha256"]) for file in told["files"]),
        )


_known: OrderedDict[tuple[str, str, str], tuple[int, Provenance]] = OrderedDict()
"""By database, lake and content, for a snapshot's number means nothing in another catalog: rows and origin."""
_lock = Lock()


def bars(
    symbols: str | Sequence[str],
    timeframe: str = "1m",
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    resample_to: str | None = None,
    adjusted: Adjustment = "raw",
    database_url: str | None = None,
    storage: Storage | None = None,
) -> pl.DataFrame:
    """What `data.bars` gives, with its origin remembered: what is made of it can be run again from its record.

    Bars of another database or lake than the settings name are bars of unknown origin, for a record points into these.
    """
    if as_of is None:
        # Named before it is read, or a publication in between would make another one of it.
        with connect(database_url, autocommit=True) as connection:
            as_of = catalog.newest_snapshot(connection) or None
    frame = query.bars(
        symbols, timeframe, start, end, source=source, as_of=as_of, resample_to=resample_to, adjusted=adjusted,
        database_url=database_url, storage=storage,
    )  # fmt: skip
    if database_url is not None or storage is not None:
        return frame
    wanted = query.names(symbols)
    pieces = query.find_near(wanted, timeframe, start, end, source=source, as_of=as_of)
    assert as_of is not None, "bars were found, so something was published"
    files = tuple((piece.path, piece.sha256) for piece in pieces)
    origin = Provenance(tuple(wanted), timeframe, start, end, source, as_of, resample_to, adjusted, files)
    with _lock:
        _known[_key(content_hash(frame))] = frame.height, origin
        while len(_known) > REMEMBERED_MAX:
            _known.popitem(last=False)
    return frame


def provenance_of(frame: pl.DataFrame) -> Provenance | None:
    """Where these bars came from; None for bars that were made, filtered or edited."""
    with _lock:
        is_new = not any(rows == frame.height for rows, _ in _known.values())
    return None if is_new else origin_of(content_hash(frame))


def origin_of(content: str) -> Provenance | None:
    """Where bars of this content came from."""
    try:
        key = _key(content)
    except Unavailable:  # no database, so no catalog that could know them
        return None
    with _lock:
        _, origin = _known.get(key, (0, None))
    return origin


def _key(content: str) -> tuple[str, str, str]:
    settings = get_settings()
    return settings.postgres(), settings.lake, content


def read_again(origin: Provenance, content: str) -> pl.DataFrame:
    """The very bars that a run saw, or an error."""
    frame = bars(
        origin.symbols, origin.timeframe, origin.start, origin.end, source=origin.source, as_of=origin.snapshot,
        resample_to=origin.resample_to, adjusted=origin.adjusted,
    )  # fmt: skip
    if content_hash(frame) != content:
        raise Corrupt(
            f"the bars of {', '.join(origin.symbols)} are not those that the run saw, although snapshot "
            f"{origin.snapshot} is the same",
            "Find out what changed in resampling or adjusting; the files themselves are as they were catalogued.",
        )
    return frame


def content_hash(frame: pl.DataFrame) -> str:
    """What a strategy can see of these bars as one number: the same for the same bars in any chunks and any order of
    symbols."""
    digest = blake3.blake3()
    for symbol, one in _by_symbol(frame.select("symbol", "ts_utc", *COLUMNS)):
        digest.update(f"{symbol}\0{one.height}\0".encode())
        digest.update(_bytes(one["ts_utc"].dt.epoch("us")))
        for name in COLUMNS:
            digest.update(_bytes(one[name].cast(pl.Float64)))
    return digest.hexdigest()


def _bytes(column: pl.Series) -> memoryview:
    return np.ascontiguousarray(column.to_numpy()).view(np.uint8).data


def _by_symbol(frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each symbol's bars in order of time, the symbols in theirs."""
    starts = frame.select(
        pl.arg_where(pl.col("symbol").ne_missing(pl.col("symbol").shift()))
    ).to_series()  # ne_missing: the first row differs from none
    names = frame["symbol"].gather(starts)
    in_order = names.n_unique() == len(names) and names.is_sorted()
    bounds = [*starts.to_list(), frame.height]
    parts = [frame[first:last] for first, last in pairwise(bounds)]
    if not in_order or not all(part["ts_utc"].is_sorted() for part in parts):
        yield from _by_symbol(frame.sort("symbol", "ts_utc", maintain_order=True))
        return
    yield from zip(names.to_list(), parts, strict=True)


def _written(moment: Moment | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(told: str | None) -> Moment | None:
    if told is None:
        return None
    return datetime.fromisoformat(told) if "T" in told else date.fromisoformat(told)
