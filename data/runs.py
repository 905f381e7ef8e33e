"""Runs of research as records: what a backtest, a sweep or a validation was given, what came of it, and where it lies.

A run is named by its inputs alone, so the same inputs are the same run on any machine and at any time.  Its files are
stored before its row: a run exists exactly when its row does, and one that was killed between the two is simply run
again.  The row says which bytes came of these inputs; whoever gets other ones is told.
"""

import io
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

import polars as pl
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from data.errors import Corrupt, SlipwayError, UsageError
from data.lake import sha256
from data.postgres import one
from data.storage import Storage

Kind = Literal["backtest", "sweep", "validation"]

ID_LENGTH: Final = 16
FAMILY_LOCK: Final = (
    7_541_004  # any constant; who changes what is known of a family meets there, on the family's hash
)
ROW_GROUP: Final = 1 << 20
WRITERS: Final = 8  # they wait for the disk or for a bucket


class OtherBytes(SlipwayError):
    """The same inputs gave other outputs than those on record."""


@dataclass(frozen=True, slots=True)
class Output:
    """A file of a run in the lake."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A run that was made and is not on record yet."""

    kind: Kind
    family: str
    inputs: Mapping[str, Any]
    """all that decides the result, as plain JSON, and nothing that does not"""
    bars: Mapping[str, Any] | None
    """where its bars are in the lake; None when they did not come from there"""
    snapshot: int | None
    first: date
    last: date
    statistics: Mapping[str, Any]
    files: Mapping[str, bytes]
    unrepeatable: str | None
    """why it cannot be run again"""
    code: Mapping[str, Any]
    created_by: str
    where_from: str
    id: str = field(init=False)
    inputs_sha256: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha256(canonical(self.inputs))
        object.__setattr__(self, "inputs_sha256", digest)
        object.__setattr__(self, "id", digest[:ID_LENGTH])


@dataclass(frozen=True, slots=True)
class Run:
    """A run on record."""

    id: str
    kind: Kind
    family: str
    inputs: dict[str, Any]
    bars: dict[str, Any] | None
    snapshot: int | None
    first: date
    last: date
    statistics: dict[str, Any]
    outputs: dict[str, Output]
    unrepeatable: str | None
    code: dict[str, Any]
    created_at: datetime
    created_by: str
    where_from: str


def canonical(inputs: Mapping[str, Any]) -> bytes:
    """The one way to write inputs down; their hash names the run."""
    return json.dumps(inputs, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def parquet(frame: pl.DataFrame) -> bytes:
    """A frame as parquet; the same rows always give the same bytes, however the frame is chunked."""
    sink = io.BytesIO()
    frame.rechunk().write_parquet(sink, compression="zstd", compression_level=1, row_group_size=ROW_GROUP)
    return sink.getvalue()


def lock_family(connection: Connection[DictRow], family: str) -> None:
    """Until the transaction ends nobody else records a run of the family, or sets or opens its holdout."""
    connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [FAMILY_LOCK, family])


def store(storage: Storage, draft: Draft, known: Run | None) -> dict[str, Output]:
    """Put the run's files in the lake, where a run on record must find its own bytes."""
    if known is not None:
        _must_be_same(known, draft)
        for name, output in known.outputs.items():
            if name in draft.files:
                storage.put_new(output.path, draft.files[name])  # mends a lake that lost it
        return known.outputs
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="lake") as pool:
        paths = pool.map(lambda file: _put(storage, draft.id, *file), draft.files.items())
        return {
            name: Output(path, sha256(content), len(content))
            for path, (name, content) in zip(paths, draft.files.items(), strict=True)
        }


def enter(connection: Connection[DictRow], draft: Draft, outputs: Mapping[str, Output]) -> bool:
    """Enter the run in the caller's transaction; False when it was on record, with these very bytes."""
    added = connection.execute(
        """
        insert into research_runs (id, kind, family, inputs, inputs_sha256, bars, snapshot, first_session, last_session,
                                   statistics, outputs, unrepeatable, code, created_by, where_from)
        values (%(id)s, %(kind)s, %(family)s, %(inputs)s, %(sha256)s, %(bars)s, %(snapshot)s, %(first)s, %(last)s,
                %(statistics)s, %(outputs)s, %(unrepeatable)s, %(code)s, %(who)s, %(where)s)
        on conflict (id) do nothing
        """,
        {
            "id": draft.id,
            "kind": draft.kind,
            "family": draft.family,
            "inputs": Jsonb(draft.inputs),
            "sha256": draft.inputs_sha256,
            "bars": None if draft.bars is None else Jsonb(draft.bars),
            "snapshot": draft.snapshot,
            "first": draft.first,
            "last": draft.last,
            "statistics": Jsonb(draft.statistics),
            "outputs": Jsonb({name: asdict(output) for name, output in outputs.items()}),
            "unrepeatable": draft.unrepeatable,
            "code": Jsonb(draft.code),
            "who": draft.created_by,
            "where": draft.where_from,
        },
    ).rowcount
    if not added:
        known = by_id(connection, draft.id)
        assert known is not None, "the conflict was with this row"
        _must_be_same(known, draft)
        if known.bars is None and draft.bars is not None:  # the same bars, of which it is known by now whence
            connection.execute(
                "update research_runs set bars = %s, snapshot = %s, unrepeatable = %s where id = %s",
                [Jsonb(draft.bars), draft.snapshot, draft.unrepeatable, draft.id],
            )
    return bool(added)


_SELECT: Final = """
    select id, kind, family, inputs, bars, snapshot, first_session as first, last_session as last, statistics, outputs,
           unrepeatable, code, created_at, created_by, where_from from research_runs
"""


def by_id(connection: Connection[DictRow], run_id: str) -> Run | None:
    row = connection.execute(f"{_SELECT} where id = %s", [run_id]).fetchone()
    return _run(row) if row else None


def find(connection: Connection[DictRow], spec: str) -> Run:
    """The run whose id begins so."""
    asked = spec.lower()
    hexadecimal = bool(asked) and set(asked) <= set("0123456789abcdef")
    rows = (
        connection.execute(f"{_SELECT} where starts_with(id, %s) limit 2", [asked]).fetchall()
        if hexadecimal
        else []
    )
    if not rows:
        any_known = one(connection.execute("select exists (select from research_runs) as found"))["found"]
        raise UsageError(
            f"there is no run {spec!r}",
            "See `./slipway runs list`." if any_known else "Make one: `./slipway sweep`.",
        )
    if len(rows) > 1:
        raise UsageError(f"several runs begin with {spec!r}", "Give more of its id.")
    return _run(rows[0])


def listing(
    connection: Connection[DictRow], *, family: str | None = None, kind: Kind | None = None, limit: int = 50
) -> list[Run]:
    """The newest runs first."""
    rows = connection.execute(
        f"{_SELECT} where (%(family)s::text is null or family = %(family)s) "
        "and (%(kind)s::text is null or kind = %(kind)s) order by created_at desc, id limit %(limit)s",
        {"family": family, "kind": kind, "limit": limit},
    ).fetchall()
    return [_run(row) for row in rows]


def first_within(connection: Connection[DictRow], family: str, first: date, last: date) -> Run | None:
    """The first run of the family that saw a session of this range."""
    row = connection.execute(
        f"{_SELECT} where family = %s and first_session <= %s and last_session >= %s "
        "order by created_at, id limit 1",
        [family, last, first],
    ).fetchone()
    return _run(row) if row else None


def content(storage: Storage, run: Run, name: str) -> bytes:
    """A file of the run, refused unless it is as it was recorded."""
    output = run.outputs.get(name)
    if output is None:
        kept = ", ".join(sorted(run.outputs))
        raise UsageError(f"the run {run.id} has no file {name!r}", f"It has: {kept}.")
    found = storage.get(output.path)
    if sha256(found) != output.sha256:
        raise Corrupt(
            f"{output.path} is not the file that was recorded",
            "Move it out of the lake and run the same thing again, which stores it anew.",
        )
    return found


def differing(run: Run, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The names of the files that are not those on record, by their hashes; a missing one differs."""
    return tuple(
        name
        for name in sorted({*run.outputs, *files})
        if name not in files or name not in run.outputs or sha256(files[name]) != run.outputs[name].sha256
    )


def _must_be_same(known: Run, draft: Draft) -> None:
    others = differing(known, draft.files)
    if others:
        changed = [
            f"{name} {known.code.get(name)} then, {draft.code.get(name)} now"
            for name in sorted({*known.code, *draft.code})
            if known.code.get(name) != draft.code.get(name)
        ]
        raise OtherBytes(
            f"the run {known.id} gave other bytes than before ({', '.join(others)})",
            f"What differs in the code: {'; '.join(changed) or 'nothing that is known'}.",
        )


def _put(storage: Storage, run_id: str, name: str, content: bytes) -> str:
    key = f"runs/{run_id}/{name}"
    if storage.put_new(key, content) or storage.get(key) == content:
        return key
    # Left by other code that was killed before the run was entered: no row names it, so go round it.
    stem, dot, suffix = name.partition(".")
    key = f"runs/{run_id}/{stem}-{sha256(content)[:8]}{dot}{suffix}"
    if storage.put_new(key, content) or storage.get(key) == content:
        return key
    raise Corrupt(f"{key} is not what its name says", "Move it out of the lake and run the same again.")


def _run(row: dict[str, Any]) -> Run:
    outputs = {name: Output(**told) for name, told in row["outputs"].items()}
    return Run(**{**row, "outputs": outputs})
