"""Holdouts: sessions that a family's research keeps its eyes off until it is finished, and then sees once.

A sealed range is refused to every backtest and sweep.  Opening it is one transaction behind the family's lock and
stands in the audit log; from then on its sessions are ordinary ones, and can never be a holdout again.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow

from data import audit, runs
from data.errors import Refused, UsageError


@dataclass(frozen=True, slots=True)
class Holdout:
    """A range of sessions, both ends included, and who did what with it."""

    id: int
    family: str
    first: date
    last: date
    set_at: datetime
    set_by: str
    opened_at: datetime | None
    opened_by: str | None
    reason: str | None
    run_id: str | None
    """the first recorded run that saw it"""

    @property
    def is_sealed(self) -> bool:
        return self.opened_at is None

    def __str__(self) -> str:
        return f"{self.family}'s holdout from {self.first} to {self.last}"


_SELECT: Final = """
    select id, family, first_session as first, last_session as last, set_at, set_by, opened_at, opened_by, reason,
           run_id
    from holdouts
"""


def set_holdout(
    connection: Connection[DictRow], family: str, first: date, last: date, *, who: str
) -> Holdout:
    """Seal a range that no recorded run of the family has seen, or say which one has."""
    if last < first:
        raise UsageError(f"the holdout ends ({last}) before it starts ({first})", "Swap the two.")
    runs.lock_family(connection, family)
    for known in holdouts(connection, family):
        if known.is_sealed:
            raise Refused(f"{known} is sealed already", f"Open that first: {_how_to_open(family)}.")
        if known.first <= last and known.last >= first:
            raise Refused(
                f"{known} was opened on {known.opened_at:%Y-%m-%d} and is no longer unseen",
                "Choose sessions outside of it.",
            )
    seen = runs.first_within(connection, family, first, last)
    if seen is not None:
        raise Refused(
            f"{family} has seen these sessions: the {seen.kind} {seen.id} of {seen.created_at:%Y-%m-%d} used "
            f"{seen.first} to {seen.last}",
            "Choose sessions that no recorded run has used, such as those still to come.",
        )
    connection.execute(
        "insert into holdouts (family, first_session, last_session, set_by) values (%s, %s, %s, %s)",
        [family, first, last, who],
    )
    audit.append(connection, who, "set holdout", family, {"first": str(first), "last": str(last)})
    made = holdout_of(connection, family)
    assert made is not None, "it was just set"
    return made


def holdouts(connection: Connection[DictRow], family: str | None = None) -> list[Holdout]:
    """All that were ever set, the newest last."""
    rows = connection.execute(
        f"{_SELECT} where %(family)s::text is null or family = %(family)s order by id", {"family": family}
    ).fetchall()
    return [Holdout(**row) for row in rows]


def holdout_of(connection: Connection[DictRow], family: str) -> Holdout | None:
    """The sealed one if there is one, else the one that was opened last."""
    known = holdouts(connection, family)
    return known[-1] if known else None  # a sealed one is always the newest


def must_not_touch(connection: Connection[DictRow], family: str, first: date, last: date) -> None:
    """Refuse a range that reaches into the family's sealed holdout."""
    known = holdout_of(connection, family)
    if known is not None and known.is_sealed and known.first <= last and known.last >= first:
        raise Refused(
            f"{first} to {last} reaches into {known}, which is sealed",
            f"Stay outside of it, or, when research is finished, open it once and for all: {_how_to_open(family)}.",
        )


def open_holdout(
    connection: Connection[DictRow], family: str, *, reason: str, who: str, run: str | None = None
) -> Holdout:
    """Open the family's sealed holdout; of several who try, one succeeds and the others learn who it was.

    `run` names the recorded run it was opened for; without it, the first that sees the range is noted.
    """
    if not reason.strip():
        raise UsageError(
            "opening a holdout needs a reason", "Say in a sentence why research is finished: --reason."
        )
    runs.lock_family(connection, family)
    if run is not None:
        run = runs.find(connection, run).id
    opened = connection.execute(
        "update holdouts set opened_at = clock_timestamp(), opened_by = %s, reason = %s, run_id = %s "
        "where family = %s and opened_at is null returning id",
        [who, reason, run, family],
    ).fetchone()
    known = holdout_of(connection, family)
    if known is None:
        raise UsageError(
            f"{family} has no holdout", f"Set one: `./slipway holdout set {family} --start … --end …`."
        )
    if opened is None:
        raise Refused(
            f"{known} was opened on {known.opened_at:%Y-%m-%d %H:%M} by {known.opened_by}: {known.reason}",
            "A holdout opens once; set another over sessions that are still to come.",
        )
    audit.append(
        connection,
        who,
        "open holdout",
        family,
        {"first": str(known.first), "last": str(known.last), "reason": reason, "run": run},
    )
    return known


def note_first_run(
    connection: Connection[DictRow], family: str, first: date, last: date, run_id: str
) -> None:
    """Remember the first recorded run that saw an opened holdout."""
    connection.execute(
        "update holdouts set run_id = %s where family = %s and opened_at is not null and run_id is null "
        "and first_session <= %s and last_session >= %s",
        [run_id, family, last, first],
    )


def _how_to_open(family: str) -> str:
    return f"`./slipway holdout open {family} --reason …`"
