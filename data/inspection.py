"""What the lake holds against what the catalog names: nothing may be missing, damaged, or there unnamed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

from data import catalog, lake
from data.errors import Corrupt
from data.pieces import readers
from data.postgres import connect
from data.progress import Progress, silent
from data.storage import Storage, lake_storage

Kind = Literal["missing", "damaged", "orphan", "half-written", "failed checks", "warned"]

FOLDERS: Final = ("bars", "quarantine")  # of the lake that the catalog answers for
# An object so young may be a running ingest's, written aside and about to be published.
ORPHAN_AGE_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is not as it should be, and what to do about it."""

    kind: Kind
    what: str
    found: str
    fix: str

    @property
    def is_serious(self) -> bool:
        return self.kind in ("missing", "damaged", "failed checks")


def inspect(
    *,
    deep: bool = False,
    storage: Storage | None = None,
    database_url: str | None = None,
    progress: Progress = silent,
) -> list[Trouble]:
    """Compare names, and with `deep` every byte of every file."""
    storage = storage or lake_storage()
    with connect(database_url) as connection:
        named = catalog.known_files(connection)
        flagged = catalog.flagged(connection)
    there = {key for folder in FOLDERS for key in storage.keys(folder)}
    troubles = [*_missing(named, there), *_unnamed(storage, named, there)]
    if deep:
        troubles += _damaged(storage, [row for row in named if row["path"] in there], progress)
    return [*troubles, *_flagged(flagged)]


def remove_orphans(
    *, storage: Storage | None = None, database_url: str | None = None, older_than_s: float = ORPHAN_AGE_S
) -> list[str]:
    """Delete what nothing names; what is younger than an hour may belong to somebody who is at work."""
    storage = storage or lake_storage()
    orphans = [
        trouble.what
        for trouble in inspect(storage=storage, database_url=database_url)
        if trouble.kind in ("orphan", "half-written") and storage.age_s(trouble.what) >= older_than_s
    ]
    for key in orphans:
        storage.delete(key)
    return orphans


def _missing(named: list[dict[str, Any]], there: set[str]) -> Iterator[Trouble]:
    for row in named:
        if row["path"] not in there:
            served = "its sessions cannot be read" if row["is_shown"] else "only old snapshots need it"
            yield Trouble(
                "missing",
                row["path"],
                f"the catalog names it, the lake does not have it; {served}",
                "Restore it from a backup, or ingest its sessions again: `./slipway data ingest`.",
            )


def _unnamed(storage: Storage, named: list[dict[str, Any]], there: set[str]) -> Iterator[Trouble]:
    known = {row["path"] for row in named}
    for key in sorted(there - known):
        yield Trouble(
            "orphan",
            key,
            "an ingest ended between writing and publishing it; nobody reads it",
            "It does no harm; `./slipway data check --remove-orphans` deletes it.",
        )
    for folder in FOLDERS:
        for key in storage.staged(folder):
            yield Trouble(
                "half-written",
                key,
                "a writer was killed while it wrote",
                "It does no harm; `./slipway data check --remove-orphans` deletes it.",
            )


def _damaged(storage: Storage, named: list[dict[str, Any]], progress: Progress) -> list[Trouble]:
    def look(row: dict[str, Any]) -> Trouble | None:
        try:
            content = lake.verified(storage, row["path"], row["sha256"], row["blake3"])
        except Corrupt as error:
            return Trouble("damaged", row["path"], error.what, error.fix)
        if lake.sha256(content) != row["sha256"]:
            return Trouble(
                "damaged", row["path"], "its SHA-256 is another", "Find out who changed the catalog."
            )
        return None

    found = []
    with ThreadPoolExecutor(readers(storage), thread_name_prefix="lake") as pool:
        for place, trouble in enumerate(pool.map(look, named)):
            progress(place + 1, len(named), named[place]["path"])
            if trouble:
                found.append(trouble)
    return found


def _flagged(rows: list[dict[str, Any]]) -> Iterator[Trouble]:
    for row in rows:
        failed = row["quality"] == "failed"
        yield Trouble(
            "failed checks" if failed else "warned",
            f"{row['dataset']} {row['symbol']} {row['session']}",
            "; ".join(row["findings"]),
            "It is not served. Correct the source, then `./slipway data ingest` these sessions again."
            if failed
            else "It is served; the rows that were wrong are in quarantine.",
        )
