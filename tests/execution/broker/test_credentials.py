"""Paper and live cannot be mistaken for each other, and nothing is sent where keys do not belong."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from exchange_process import ExchangeProcess
from scripted_broker import ACCOUNT, HANG_UP, ScriptedBroker, http, scripted_broker

from data.errors import Refused, SlipwayError, Unavailable, UsageError
from data.settings import get_settings
from execution.broker.credentials import Alpaca, BrokerSettings, alpaca_credentials
from execution.broker.venue import venue
from execution.deployments import FromFile, FromRegistry, StrategySource
from execution.markets import Live, Replay
from execution.separation import strategies_for
from execution.service import Assignment, run
from execution.settings import ExecutionSettings
from research.strategies.crossover import Crossover

PAPER = {"SLIPWAY_ALPACA_PAPER_KEY_ID": "PKPAPER", "SLIPWAY_ALPACA_PAPER_SECRET": "paper-s3cret"}
LIVE = {"SLIPWAY_ALPACA_LIVE_KEY_ID": "AKLIVE", "SLIPWAY_ALPACA_LIVE_SECRET": "live-s3cret"}
ALLOWED = {"SLIPWAY_ALLOW_LIVE": "yes-real-money"}
HERE = "http://127.0.0.1:8000"


def set_all(monkeypatch: pytest.MonkeyPatch, *settings: dict[str, str]) -> None:
    for name, value in [pair for each in settings for pair in each.items()]:
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()


def test_each_kind_has_its_own_keys_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PAPER, LIVE, ALLOWED)
    paper, live = alpaca_credentials("alpaca-paper"), alpaca_credentials("alpaca-live")
    assert (paper.url, paper.key_id.get_secret_value(), paper.live) == (
        "https://paper-api.alpaca.markets", "PKPAPER", False,
    )  # fmt: skip
    assert (live.url, live.secret.get_secret_value(), live.live) == (
        "https://api.alpaca.markets",
        "live-s3cret",
        True,
    )


def test_secrets_are_masked_wherever_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PAPER, LIVE, ALLOWED)
    shown = f"{BrokerSettings()!r} {BrokerSettings()} {alpaca_credentials('alpaca-paper')!r}"
    for secret in ("PKPAPER", "paper-s3cret", "AKLIVE", "live-s3cret"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("broker", "settings", "error", "said"),
    [
        ("alpaca-paper", {}, UsageError, "SLIPWAY_ALPACA_PAPER_KEY_ID is not set"),
        (
            "alpaca-paper",
            {"SLIPWAY_ALPACA_PAPER_KEY_ID": "PK1"},
            UsageError,
            "SLIPWAY_ALPACA_PAPER_SECRET is not set",
        ),
        ("alpaca-paper", LIVE, UsageError, "SLIPWAY_ALPACA_PAPER_KEY_ID is not set"),
        ("alpaca-live", {**PAPER, **ALLOWED}, UsageError, "SLIPWAY_ALPACA_LIVE_KEY_ID is not set"),
        ("alpaca-paper", {**PAPER, "SLIPWAY_ALPACA_PAPER_KEY_ID": "AK1"}, Refused, "is one of alpaca-live"),
        (
            "alpaca-live",
            {**LIVE, **ALLOWED, "SLIPWAY_ALPACA_LIVE_KEY_ID": "PK1"},
            Refused,
            "SLIPWAY_ALPACA_LIVE_KEY_ID is one of alpaca-paper: keys of alpaca-live begin with AK",
        ),
        ("alpaca-paper", {**PAPER, "SLIPWAY_ALPACA_PAPER_KEY_ID": "SIM1"}, Refused, "is none that we know"),
        ("alpaca-live", LIVE, Refused, "SLIPWAY_ALLOW_LIVE=yes-real-money"),
        ("alpaca-live", {**LIVE, "SLIPWAY_ALLOW_LIVE": "yes"}, Refused, "trades real money"),
        ("alpaca-live", {**LIVE, "SLIPWAY_ALLOW_LIVE": "true"}, Refused, "trades real money"),
        (
            "alpaca-paper",
            {**PAPER, "SLIPWAY_ALPACA_PAPER_URL": "https://api.alpaca.markets"},
            Refused,
            "SLIPWAY_ALPACA_PAPER_URL is not the address",
        ),
        (
            "alpaca-live",
            {**LIVE, **ALLOWED, "SLIPWAY_ALPACA_LIVE_URL": "https://paper-api.alpaca.markets"},
            Refused,
            "SLIPWAY_ALPACA_LIVE_URL is not the address",
        ),
        *(
            ("alpaca-paper", {**PAPER, "SLIPWAY_ALPACA_PAPER_URL": url}, Refused, "is not the address")
            for url in (
                "http://paper-api.alpaca.markets",
                "https://paper-api.alpaca.markets.evil.example",
                "https://127.0.0.1@evil.example",
                "https://me:secret@paper-api.alpaca.markets",
                "https://paper-api.alpaca.markets:8443",
                "https://paper-api.alpaca.markets/v2",
                "https://[",
                "paper-api.alpaca.markets",
            )
        ),
        (
            "alpaca-paper",
            {**PAPER, "SLIPWAY_ALPACA_PAPER_URL": "ftp://127.0.0.1"},
            UsageError,
            "can be asked",
        ),
        (
            "alpaca-paper",
            {**PAPER, "SLIPWAY_ALPACA_PAPER_SECRET": "two words"},
            UsageError,
            "_SECRET does not look",
        ),
        (
            "alpaca-paper",
            {**PAPER, "SLIPWAY_ALPACA_PAPER_KEY_ID": "PK\u00e4"},
            UsageError,
            "_KEY_ID does not look",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused_and_named(
    broker: Alpaca,
    settings: dict[str, str],
    error: type[SlipwayError],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, settings)
    with pytest.raises(error, match=said) as refused:
        alpaca_credentials(broker)
    for secret in ("paper-s3cret", "live-s3cret", "two words"):
        assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"SLIPWAY_ALPACA_PAPER_URL": HERE}, "an address of this machine"),
        ({"SLIPWAY_FAILPOINT": "after_send"}, "kill the engine on purpose"),
    ],
)
def test_production_has_no_room_for_what_helps_tests(
    settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, PAPER, settings)
    assert alpaca_credentials("alpaca-paper").key_id.get_secret_value() == "PKPAPER"
    set_all(monkeypatch, {"SLIPWAY_ENV": "production"})
    with pytest.raises(Refused, match=said):
        alpaca_credentials("alpaca-paper")


def test_a_venue_at_alpaca_was_asked_for_its_account_and_has_alpacas_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def trade() -> ScriptedBroker:
        async with scripted_broker() as (script, _):
            set_all(
                monkeypatch, PAPER, {"SLIPWAY_BROKER": "alpaca-paper", "SLIPWAY_ALPACA_PAPER_URL": script.url}
            )
            script.on("GET /v2/account", http(200, ACCOUNT))
            async with venue("mine", cash=5.0) as (broker, keys):
                assert keys is None
                assert await broker.find("c1") is None
            return script

    script = asyncio.run(trade())
    assert [each.route for each in script.requests] == [
        "GET /v2/account",
        "GET /v2/orders:by_client_order_id",
    ]
    assert {each.headers["apca-api-key-id"] for each in script.requests} == {"PKPAPER"}
    assert ExecutionSettings().rate.per_second == 3.0


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (
            http(403, {"message": "forbidden."}),
            Refused,
            "Check SLIPWAY_ALPACA_PAPER_KEY_ID and SLIPWAY_ALPACA_PAPER_S",
        ),
        (http(502, b"<html>"), Unavailable, "does not say how the account stands"),
        (HANG_UP, Unavailable, "does not say how the account stands"),
    ],
)
def test_a_venue_that_does_not_take_the_keys_is_no_venue(
    reply: bytes, error: type[SlipwayError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trade() -> None:
        async with scripted_broker() as (script, _):
            set_all(
                monkeypatch, PAPER, {"SLIPWAY_BROKER": "alpaca-paper", "SLIPWAY_ALPACA_PAPER_URL": script.url}
            )
            script.on("GET /v2/account", reply)
            async with venue("mine"):
                pytest.fail("nobody may get so far")

    with pytest.raises(error, match=said):
        asyncio.run(trade())


def test_the_simulator_opens_the_account_and_nobody_counts(
    exchange: ExchangeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trade() -> None:
        async with venue(tmp_path.name, cash=5_000.0) as (broker, keys):
            assert keys is not None
            assert await broker.find("c1") is None

    set_all(monkeypatch, {"SLIPWAY_EXCHANGE_URL": exchange.url})
    asyncio.run(trade())
    assert ExecutionSettings().rate.per_second == 0.0


REPLAY = Replay(date(2026, 10, 1), date(2026, 10, 1))
A_FILE = FromFile(Crossover(fast=5, slow=20), ["AAA"], date(2026, 9, 1))


@pytest.mark.parametrize(
    ("broker", "market", "strategies", "said"),
    [
        ("alpaca-paper", REPLAY, None, "recorded sessions are replayed at the exchange simulator only"),
        ("alpaca-live", REPLAY, None, "recorded sessions"),
        ("alpaca-paper", Live("synthetic"), None, "the synthetic market is made up"),
        ("alpaca-live", Live("synthetic"), None, "made up"),
        ("alpaca-live", Live("alpaca"), FromRegistry("paper"), "promoted to live, and by nothing else"),
        ("alpaca-live", Live("alpaca"), A_FILE, "promoted to live, and by nothing else"),
    ],
)
def test_made_up_prices_meet_no_real_market_and_trials_no_real_money(
    broker: Any,
    market: Replay | Live,
    strategies: StrategySource | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, {"SLIPWAY_BROKER": broker})
    with pytest.raises(Refused, match=said):
        asyncio.run(run(Assignment("mine", market, strategies)))


def test_each_broker_trades_what_is_on_its_stage() -> None:
    assert strategies_for("sim", REPLAY, None) == FromRegistry("paper")
    assert strategies_for("sim", Live("synthetic"), A_FILE) is A_FILE
    assert strategies_for("alpaca-paper", Live("alpaca"), None) == FromRegistry("paper")
    assert strategies_for("alpaca-live", Live("alpaca"), None) == FromRegistry("live")
