"""The newest schema of the ledger, read from the migrations' own files.

Alembic would tell, too, but takes longer to load than PostgreSQL to start, and nearly every start finds the schema
as it should be.
"""

import re

from data.migrations import HERE

REVISION = re.compile(r"""^(revision|down_revision)\b[^=]*=\s*(?:["'](.+?)["']|None)""", re.MULTILINE)


def revisions() -> set[str]:
    """Every schema that this checkout knows."""
    return {facts["revision"] for facts in _files()}


def newest() -> str:
    """The one that no other builds on."""
    (newest,) = revisions() - {facts["down_revision"] for facts in _files()}
    return newest


def _files() -> list[dict[str, str]]:
    files = sorted((HERE / "versions").glob("*.py"))
    return [{name: value for name, value in REVISION.findall(path.read_text())} for path in files]
