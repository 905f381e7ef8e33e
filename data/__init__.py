"""Facts and contracts: bars, orders, artifacts, the lake, Postgres, Redis, settings, the registry.
May import no other room.
Start reading at bar.py, then ingest.py (write → audit → publish) and query.py.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.query import bars

__all__ = ["bars"]


def __getattr__(name: str) -> object:
    # Loaded when asked for, so that `import data` stays light.
    if name == "bars":
        from data.query import bars

        return bars
    raise AttributeError(f"module 'data' has no attribute {name!r}")
