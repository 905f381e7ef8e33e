"""Strategies, their versions and stages: what may trade, on which evidence, and who said so."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from data import audit
from data.artifacts import Artifact
from data.errors import Refused, UsageError
from data.postgres import one

Stage = Literal["candidate", "paper", "live", "retired"]
Verdict = Literal["pass", "fail"]

# Which gates must have passed before a version may enter a stage.  A gate without evidence has not passed.
REQUIRED_GATES: Final[dict[str, tuple[str, ...]]] = {
    "paper": ("parity",),
    "live": ("parity", "paper_record", "drift", "risk_limits"),
}
STEPS: Final[dict[str, tuple[str, ...]]] = {
    "candidate": ("paper", "retired"),
    "paper": ("live", "retired"),
    "live": ("retired",),
    "retired": (),
}


@dataclass(frozen=True, slots=True)
class Version:
    """One published artifact of a strategy, and where it stands."""

    id: int
    strategy: str
    number: int
    artifact_hash: str
    stage: Stage
    author: str
    published_at: datetime
    manifest: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.strategy}@{self.number}"


_SELECT = """
    select v.id, s.name as strategy, v.number, v.artifact_hash, v.stage, v.author, v.published_at, v.manifest
    from versions v join strategies s on s.id = v.strategy_id
"""


def register(connection: Connection[DictRow], artifact: Artifact) -> Version:
    """Enter a published artifact as the next version of its strategy; the same artifact only once."""
    manifest = artifact.manifest
    connection.execute(
        "insert into strategies (name) values (%s) on conflict do nothing", [manifest.strategy]
    )
    family = one(
        connection.execute("select id from strategies where name = %s for update", [manifest.strategy])
    )["id"]
    added = connection.execute(
        """
        insert into versions (strategy_id, number, artifact_hash, author, manifest)
        select %(family)s, coalesce(max(number), 0) + 1, %(hash)s, %(author)s, %(manifest)s
        from versions where strategy_id = %(family)s
        on conflict (artifact_hash) do nothing
        """,
        {
            "family": family,
            "hash": artifact.hash,
            "author": manifest.author,
            "manifest": Jsonb(msgspec.to_builtins(manifest)),
        },
    ).rowcount
    version = by_hash(connection, artifact.hash)
    if added:
        audit.append(connection, manifest.author, "publish", str(version), {"artifact": artifact.hash})
    return version


def by_hash(connection: Connection[DictRow], artifact_hash: str) -> Version:
    return Version(**one(connection.execute(f"{_SELECT} where v.artifact_hash = %s", [artifact_hash])))


def versions(connection: Connection[DictRow], stage: Stage | None = None) -> list[Version]:
    """All versions, newest first within each strategy."""
    rows = connection.execute(
        f"{_SELECT} where %(stage)s::text is null or v.stage = %(stage)s order by s.name, v.number desc",
        {"stage": stage},
    ).fetchall()
    return [Version(**row) for row in rows]


def find(connection: Connection[DictRow], spec: str) -> Version:
    """A version as people name it: `crossover@3`, `crossover` for its newest, or the start of a hash."""
    known = versions(connection)
    name, _, number = spec.partition("@")
    fitting = [v for v in known if v.strategy == name and number in ("", str(v.number))]
    if not fitting and len(spec) >= 6:
        fitting = [v for v in known if v.artifact_hash.startswith(spec)]
    if not fitting:
        raise UsageError(
            f"there is no version {spec!r}",
            "See `./slipway versions`." if known else "Publish one first: `./slipway publish`.",
        )
    return fitting[0]


def record_evidence(
    connection: Connection[DictRow], version: Version, gate: str, verdict: Verdict, evidence: dict[str, Any]
) -> None:
    """Keep what a gate measured; the newest counts."""
    connection.execute(
        "insert into gate_evidence (version_id, gate, verdict, evidence) values (%s, %s, %s, %s)",
        [version.id, gate, verdict, Jsonb(evidence)],
    )


def evidence(connection: Connection[DictRow], version: Version) -> dict[str, dict[str, Any]]:
    """The newest evidence of every gate that was measured."""
    rows = connection.execute(
        "select distinct on (gate) gate, verdict, evidence, measured_at from gate_evidence "
        "where version_id = %s order by gate, id desc",
        [version.id],
    ).fetchall()
    return {row["gate"]: row for row in rows}


def promote(
    connection: Connection[DictRow], version: Version, to: Stage, *, actor: str, reason: str
) -> Version:
    """Move a version to a stage in the caller's transaction, or say exactly why not.

    The version that traded on that stage before is retired in the same transaction; under a race the
    row lock lets exactly one through, and the others find a stage from which there is no such step.
    """
    connection.execute(
        "select 1 from strategies where name = %s for update", [version.strategy]
    )  # one promotion of a family at a time
    version = by_hash(connection, version.artifact_hash)
    if version.stage == to:
        raise Refused(f"{version} is {to} already", "Nothing needs to be done.")
    if to not in STEPS[version.stage]:
        possible = ", ".join(STEPS[version.stage]) or "nothing"
        raise Refused(f"{version} is {version.stage} and cannot become {to}", f"From there: {possible}.")
    known = evidence(connection, version)
    for gate in REQUIRED_GATES.get(to, ()):
        found = known.get(gate)
        if found is None:
            raise Refused(
                f"{version} may not become {to}: no evidence for the gate {gate}", "Measure it first."
            )
        if found["verdict"] != "pass":
            raise Refused(
                f"{version} may not become {to}: the gate {gate} failed on {found['measured_at']:%Y-%m-%d %H:%M}",
                f"See `./slipway gates {version}`.",
            )
    replaced = connection.execute(
        """
        update versions set stage = 'retired'
        where stage = %s and strategy_id = (select strategy_id from versions where id = %s) returning number
        """,
        [to, version.id],
    ).fetchall()
    connection.execute("update versions set stage = %s where id = %s", [to, version.id])
    audit.append(
        connection,
        actor,
        "promote",
        str(version),
        {"from": version.stage, "to": to, "reason": reason, "retired": [row["number"] for row in replaced]},
    )
    return by_hash(connection, version.artifact_hash)
