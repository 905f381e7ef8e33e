"""The exchange as its own process, an account's tape on it, and bars; what the tests here share."""

import signal
import subprocess
import sys
from pathlib import Path

from data.bar import Bar
from execution.exchange.books import Keys
from execution.exchange.control import BlockingExchangeControl

MINUTE_US = 60_000_000
OPEN_US = 1_762_871_400_000_000  # 2025-11-11 09:30 in New York


class ExchangeProcess:
    """`python -m execution.exchange` on a folder; it can be killed and started again on the same port."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "execution.exchange"]
        command += ["--port", str(self.port), "--state-dir", str(self.state_dir)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready.startswith("exchange ready on http://127.0.0.1:"), ready
        self.port = int(ready.rsplit(":", 1)[1])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._close()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=10)
        self._close()
        return code

    def _close(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()


class Tape:
    """An account on a running exchange, and the market it sees: one bar a minute."""

    def __init__(self, url: str, keys: Keys) -> None:
        self.url = url
        self.keys = keys
        self.control = BlockingExchangeControl(url, keys)
        self.minute = 0

    def move(self, *opens: float, symbol: str = "AAA") -> int:
        """Posts one bar for each open price and returns the sequence of the last event."""
        seq = 0
        for price in opens:
            seq, _ = self.control.post_bars([bar(self.minute, price, symbol)])
            self.minute += 1
        return seq

    def close(self) -> None:
        self.control.close()


def bar(minute: int, price: float, symbol: str = "AAA", volume: float = 1_000.0) -> Bar:
    """A bar that opens and closes at one price and reaches one above and below."""
    return Bar(symbol, "1m", OPEN_US + minute * MINUTE_US, price, price + 1.0, price - 1.0, price, volume)
