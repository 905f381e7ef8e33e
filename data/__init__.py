"""Facts and contracts: bars, orders, artifacts, the lake, Postgres, Redis, settings, the registry.
May import no other room.
Start reading at bar.py, then ingest.py (write → audit → publish) and query.py.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.ask import sql
    from data.query import bars, scan

__all__ = ["bars", "scan", "sql"]

_HOMES = {"bars": "data.query", "scan": "data.query", "sql": "data.ask"}


def __getattr__(name: str) -> object:
    # Loaded when asked for, so that `import data` stays light.
    if name not in _HOMES:
        raise AttributeError(f"module 'data' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
