"""What goes wrong on `trade_updates`: events that are missing, twice, late, or not as they should be."""

from execution.exchange.faults.garbled import GARBLING, garbled
from execution.exchange.faults.knobs import EVENTS, FaultKind, Faults, Subject


class EventFaults:
    """Stands between an account's events and its listeners."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held_back: list[bytes] = []  # until the next event has passed

    def frames(self, frame: bytes, symbol: str, coid: str) -> list[bytes]:
        """What is streamed now that this event happened."""
        if not self._faults and not self._held_back:
            return [frame]
        faults, subject = self._faults, Subject(EVENTS, symbol, coid)
        for kind in GARBLING:
            if faults.strikes(kind, subject):
                frame = garbled(kind, frame)
        if faults.strikes(FaultKind.MUTE_EVENTS, subject):
            return []
        if faults.strikes(FaultKind.REORDER_EVENTS, subject):
            self._held_back.append(frame)
            return []
        times = 2 if faults.strikes(FaultKind.DUPLICATE_EVENTS, subject) else 1
        return [frame] * times + self.let_go()

    def let_go(self) -> list[bytes]:
        """What was held back."""
        late, self._held_back = self._held_back, []
        return late
