"""Who says things to the account, and changes its limits, at the worst moments."""

from typing import Final

from data.control import Verb
from execution.simulation.bus import Bus
from execution.simulation.chance import Chance, Faults
from execution.simulation.database import Database
from execution.simulation.engine import STRATEGY, SYMBOLS

SAID: Final[tuple[Verb, ...]] = ("pause", "resume", "resume", "resume", "cancel", "cancel", "flatten", "kill")
SCOPES: Final = (("", ""), ("", SYMBOLS[0]), (STRATEGY, ""), (STRATEGY, SYMBOLS[1]))
NAMES: Final = ("order_qty_max", "restricted", "position_qty_max")
VALUES: Final = (None, 1.0, 4.0, 9.0)


class People:
    """Operators of one account."""

    def __init__(self, chance: Chance, faults: Faults, database: Database, bus: Bus) -> None:
        self._chance, self._faults = chance, faults
        self._database, self._bus = database, bus

    def act(self, *, at_once: bool) -> None:
        """Now or not; rather now if it is a bad moment."""
        chance = self._chance
        if chance.happens(self._faults.command * (3.0 if at_once else 1.0)):
            self._database.command(chance.choice(SAID))
            self._bus.wake.set()
        if chance.happens(self._faults.new_limit):
            strategy, symbol = chance.choice(SCOPES)
            self._database.limits[strategy, symbol, chance.choice(NAMES)] = chance.choice(VALUES)
