"""`slipway exchange`, typed as a person types it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from exchange_process import ExchangeProcess, Tape

from data.settings import ROOT, get_settings
from execution.exchange.faults import FaultKind
from orchestration.cli import main

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(
    exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Typed:
    monkeypatch.setenv("SLIPWAY_EXCHANGE_URL", exchange.url)
    get_settings.cache_clear()

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["exchange", *words])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def rows(answer: tuple[int, str, str]) -> Any:
    assert answer[0] == 0, answer
    return json.loads(answer[1])


def test_status_and_accounts_tell_how_it_stands_and_no_secret(typed: Typed, tape: Tape) -> None:
    tape.move(100.0)
    status = rows(typed("status", "--json"))
    assert (status["url"], status["status"]) == (tape.url, "ok")
    account = rows(typed("accounts", "--json"))[-1]
    assert status["accounts"] >= 1
    assert (account["equity"], account["key_id"], account["listeners"]) == (100_000.0, tape.keys.key_id, 0)
    assert account["market_at"] == "2025-11-11T14:30:00+00:00"
    code, table, _ = typed("accounts")
    assert code == 0
    assert account["account"] in table
    assert tape.keys.secret_key not in table
    assert typed("status")[0] == 0


def test_faults_are_set_listed_and_cleared(typed: Typed, tape: Tape) -> None:
    (knob,) = rows(typed("faults", "set", "lose_reply", "--count", "2", "--symbol", "AAA", "--json"))
    assert knob == {
        "kind": "lose_reply", "count": 2, "probability": None, "seed": 0, "delay_ms": 0,
        "route": "POST /v2/orders", "symbol": "AAA", "coid": None, "struck": 0,
    }  # fmt: skip
    assert tape.control.faults() == [knob]  # the newest account, for none was named
    typed("faults", "set", "hold_request", "--probability", "0.5", "--seed", "3", "--delay-ms", "20")
    listed = rows(typed("faults", "list", "--json"))
    assert [each["kind"] for each in listed] == ["lose_reply", "hold_request"]
    assert (listed[1]["probability"], listed[1]["seed"], listed[1]["count"]) == (0.5, 3, None)
    assert "hold_request" in typed("faults", "list")[1]
    assert [each["kind"] for each in rows(typed("faults", "clear", "lose_reply", "--json"))] == [
        "hold_request"
    ]
    code, out, _ = typed("faults", "clear")
    assert code == 0
    assert out.startswith("No faults are armed on account-")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["set", "earthquake"], "there is no fault 'earthquake'. Use one of: lose_request, "),
        (["clear", "earthquake"], "there is no fault 'earthquake'. Use one of: lose_request, "),
        (
            ["list", "--account", "nobody's"],
            'the exchange has no account "nobody\'s". `./slipway exchange accounts`',
        ),
        (["set", "lose_reply", "--count", "-1"], "Invalid value for '--count'"),
    ],
)
def test_what_is_typed_wrong_is_said_with_the_fix(
    typed: Typed, tape: Tape, words: list[str], says: str
) -> None:
    code, out, err = typed("faults", *words)
    assert (code, out) == (2, "")
    assert says in err


def test_odds_that_are_none_are_refused_by_the_exchange(typed: Typed, tape: Tape) -> None:
    code, _, err = typed("faults", "set", "lose_reply", "--probability", "2")
    assert code == 3
    assert "probability must be > 0 and <= 1" in err


def test_every_fault_is_on_the_execution_page() -> None:
    told = (ROOT / "docs" / "execution.md").read_text()
    assert [kind for kind in FaultKind if f"`{kind}`" not in told] == []
