"""The control clients say the same things, once, and in time."""

import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from exchange_process import ExchangeProcess, Tape, bar

from data.errors import Refused, Unavailable
from execution.exchange.books import Keys
from execution.exchange.control import BlockingExchangeControl, ExchangeControl
from execution.exchange.faults import FaultKind


def test_both_clients_see_the_same_tape(exchange: ExchangeProcess) -> None:
    async def with_a_loop() -> Keys:
        async with ExchangeControl(exchange.url) as control:
            assert (await control.health())["status"] == "ok"
            keys = await control.open_account("both", cash=5_000, slippage_bps=0)
        async with ExchangeControl(exchange.url, keys) as control:
            assert await control.clock() == (0, None)
            assert await control.post_bars([bar(0, 100.0), bar(0, 50.0, "BBB")]) == (0, bar(0, 1.0).ts_us)
            await control.arm_fault(FaultKind.LOSE_REPLY)
            assert await control.events() == []
        return keys

    keys = asyncio.run(with_a_loop())
    with BlockingExchangeControl(exchange.url) as control:
        assert control.health()["accounts"] >= 1
        assert control.open_account("both") == keys
    with BlockingExchangeControl(exchange.url, keys) as control:
        assert control.clock() == (0, bar(0, 1.0).ts_us)
        assert control.post_bars([bar(0, 100.0)]) == control.clock()  # the tape has passed it


def test_an_exchange_that_is_not_there_is_said_to_be_so_with_the_fix() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"

    async def ask() -> None:
        async with ExchangeControl(url) as control:
            await control.clock()

    message = rf"the exchange at {re.escape(url)} does not answer \(.*\). Start it with `./slipway up`."
    with pytest.raises(Unavailable, match=message):
        asyncio.run(ask())
    with BlockingExchangeControl(url) as control, pytest.raises(Unavailable, match=message):
        control.clock()


@pytest.mark.full
def test_an_exchange_that_hangs_is_given_up_after_the_timeout() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"

        async def ask() -> None:
            async with ExchangeControl(url, timeout_s=0.1) as control:
                await control.post_bars([bar(0, 1.0)])

        with pytest.raises(Unavailable, match="does not answer"):
            asyncio.run(ask())
        with (
            BlockingExchangeControl(url, timeout_s=0.1) as control,
            pytest.raises(Unavailable, match="does not answer"),
        ):
            control.clock()


def test_wrong_keys_are_refused_with_the_reason(tape: Tape) -> None:
    with (
        BlockingExchangeControl(tape.url, Keys(tape.keys.key_id, "wrong")) as control,
        pytest.raises(Refused, match=r"request is not authorized\. Check the account's keys."),
    ):
        control.clock()


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "execution.exchange", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.full
def test_what_keeps_it_from_starting_is_one_sentence(exchange: ExchangeProcess, tmp_path: Path) -> None:
    taken = start("--port", str(exchange.port), "--state-dir", str(tmp_path))
    assert taken.returncode == 1
    assert taken.stderr == (
        f"error: port {exchange.port} on 127.0.0.1 cannot be used (Address already in use)."
        " Stop what uses it, or give the exchange another --port (0 chooses a free one).\n"
    )
    shared = start("--port", "0", "--state-dir", str(exchange.state_dir))
    assert shared.returncode == 3
    assert shared.stderr.startswith("error: another exchange keeps its books in")
    (tmp_path / "file").write_text("")
    no_folder = start("--port", "0", "--state-dir", str(tmp_path / "file"))
    assert no_folder.returncode == 1
    assert no_folder.stderr.startswith("error: ")
    assert "Traceback" not in no_folder.stderr
