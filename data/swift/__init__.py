"""Redis where microseconds count: what tells market data, what decides on it, and the hints about intents.

`resp` makes commands, `wire` is one connection, `link` keeps one alive, `group` reads streams with acknowledgement.
A reply is handed to a plain callback in the moment it was parsed: no task and no future per message.
Everything that is not hot uses redis-py through `data.bus`.
"""

from data.swift.group import GroupReader
from data.swift.link import LATER_S, Link

__all__ = ["LATER_S", "GroupReader", "Link"]
