"""What the record of a run says of where its result came from, a row for each fact."""

from typing import Any

import psycopg

from data import runs
from data.errors import SlipwayError
from data.postgres import connect
from data.runs import Run

Rows = list[tuple[str, str]]


def run_of(run_id: str) -> Run | str:
    """The run on record, or the sentence that says why it cannot be read now."""
    try:
        with connect(autocommit=True) as connection:
            found = runs.by_id(connection, run_id)
    except SlipwayError as error:
        return f"cannot be read: {error.what}"
    except psycopg.Error as error:
        return (
            f"cannot be read: Postgres failed: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
        )
    return found or f"the run {run_id} is not in this database"


def facts_of(run: Run) -> Rows:
    """The run, its bars and since when it is on record."""
    seen = run.inputs["bars"]
    rows = [
        ("run", f"{run.id}, a {run.kind}"),
        ("recorded", f"{run.created_at:%-d %b %Y %H:%M:%S} UTC by {run.created_by}"),
    ]
    if run.bars is None:
        rows.append(("snapshot", "none: the bars did not come from the lake"))
    else:
        rows += [("snapshot", str(run.snapshot)), ("bars", _bars(run.bars))]
    rows.append(("bars seen", f"{seen['rows']:,}, {run.first} to {run.last}, content {seen['content']}"))
    return rows


def code_of(run: Run) -> Rows:
    """The commit and the versions that the bytes depend on."""
    told = dict(run.code)
    commit, is_dirty = str(told.pop("commit", "unknown")), told.pop("is_dirty", True)
    lock = told.pop("lock_sha256", None)
    return [
        ("commit", f"{commit}, with changes that no commit names" if is_dirty else commit),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(told.items()))),
        ("lock sha256", str(lock or "none")),
    ]


def files_of(run: Run) -> Rows:
    """Every file of the run: where it lies in the lake, and its hash."""
    return [
        (name, f"{output.path}, {output.bytes:,} bytes, sha256 {output.sha256}")
        for name, output in sorted(run.outputs.items())
    ]


def _bars(told: dict[str, Any]) -> str:
    frame = told["resample_to"] or told["timeframe"]
    files = len(told["files"])
    return (
        f"{', '.join(told['symbols'])}, {frame}, {told['adjusted']}, from {told['source']}: "
        f"{files:,} file{'' if files == 1 else 's'} of the lake"
    )
