"""What the routes answer, and in which shape they say no."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import redis
from running_monitor import Monitor
from trading_floor import ARTIFACT, MINUTE, Floor

from data import bus
from data.settings import DataSettings, get_settings

OPEN_BELL = datetime(2026, 11, 19, 14, 30, tzinfo=UTC)


@pytest.fixture
def trader(monitor: Monitor) -> Iterator[httpx.Client]:
    with monitor.client("trader") as client:
        yield client


def problem(answer: httpx.Response) -> tuple[int, str]:
    told = answer.json()
    assert set(told) == {"error"}
    assert set(told["error"]) == {"what", "fix", "code"}
    assert all(told["error"].values())
    return answer.status_code, told["error"]["code"]


def test_every_refusal_has_the_one_shape(trader: httpx.Client, floor: Floor) -> None:
    assert problem(trader.get("/api/nothing")) == (404, "not_found")
    assert problem(trader.delete("/api/control")) == (405, "method_not_allowed")
    assert problem(trader.get("/api/orders")) == (422, "invalid")
    assert problem(trader.get("/api/orders?account=paper&limit=0")) == (422, "invalid")
    assert problem(trader.get("/api/orders?account=paper&state=LOST")) == (422, "invalid")
    assert problem(trader.get("/api/candles?symbol=AAA&timeframe=7m")) == (400, "usage")
    assert problem(trader.get("/api/candles?symbol=AAA&start=2026-11-19T10:00:00")) == (400, "usage")
    assert problem(trader.post("/api/control", content=b"{")) == (422, "invalid")
    assert problem(trader.post("/api/control", content=b"x" * 100_000)) == (413, "too_large")
    chunks = (b"x" * 10_000 for _ in range(10))
    assert problem(trader.post("/api/control", content=chunks)) == (413, "too_large")


@pytest.mark.parametrize("noun", ["positions", "orders", "fills", "equity", "control"])
def test_an_unknown_account_is_named_with_those_there_are(
    trader: httpx.Client, floor: Floor, noun: str
) -> None:
    answer = trader.get(f"/api/{noun}?account=papper")
    assert problem(answer) == (404, "not_found")
    assert "'papper'" in answer.json()["error"]["what"]
    assert "paper" in answer.json()["error"]["fix"]


def test_an_answer_never_repeats_a_password(monitor: Monitor) -> None:
    answer = httpx.post(
        f"{monitor.url}/api/auth/login", json={"name": "ada", "password": ["hunter2-hunter2"]}
    )
    assert problem(answer) == (422, "invalid")
    assert "hunter2" not in answer.text


def test_positions_orders_and_fills_are_what_the_ledger_holds(trader: httpx.Client, floor: Floor) -> None:
    first = floor.trade("AAA", "buy", 100, 50.25, OPEN_BELL)
    floor.order("BBB", "buy", 10, 112.5, OPEN_BELL, state="SENDING")

    position, *_ = trader.get("/api/positions?account=paper").json()
    assert (position["symbol"], float(position["qty"]), float(position["average_entry"])) == (
        "AAA",
        100,
        50.25,
    )

    newest, oldest = trader.get("/api/orders?account=paper").json()
    assert (newest["symbol"], newest["state"], newest["average_price"]) == ("BBB", "SENDING", None)
    assert (oldest["coid"], float(oldest["average_price"])) == (first, 50.25)
    unknown = trader.get("/api/orders?account=paper&state=SENDING&state=INTENT").json()
    assert [order["symbol"] for order in unknown] == ["BBB"]

    (fill,) = trader.get("/api/fills?account=paper").json()
    assert (fill["coid"], fill["price"], fill["strategy"]) == (first, "50.25", "crossover")


def test_candles_are_bounded_oldest_first_and_say_when_there_are_more(
    start_monitor: Callable[..., Monitor], floor: Floor
) -> None:
    floor.candles("AAA", OPEN_BELL, 30, 50.0)
    with start_monitor(rows_max=20).client("viewer") as viewer:
        all_allowed = viewer.get("/api/candles?symbol=AAA&limit=1000").json()
        assert (len(all_allowed["candles"]), all_allowed["truncated"]) == (20, True)
        assert all_allowed["candles"][-1][0] == int((OPEN_BELL + 29 * MINUTE).timestamp())
        start, end = OPEN_BELL + 5 * MINUTE, OPEN_BELL + 8 * MINUTE
        some = viewer.get(
            "/api/candles", params={"symbol": "AAA", "start": start.isoformat(), "end": end.isoformat()}
        ).json()
        opened = [candle[0] for candle in some["candles"]]
        assert opened == [int((start + n * MINUTE).timestamp()) for n in range(3)]
        assert some["truncated"] is False


def test_symbols_versions_and_runs(trader: httpx.Client, floor: Floor) -> None:
    floor.catalogued("AAA", OPEN_BELL)
    floor.version(1, "paper", fast=10, slow=50)
    floor.version(2, "candidate", verdict=None)
    floor.run(OPEN_BELL, 390, finished=True)

    (symbol,) = trader.get("/api/symbols").json()
    assert (symbol["symbol"], symbol["source"], symbol["timeframe"]) == ("AAA", "synthetic", "1m")

    newest, oldest = trader.get("/api/versions").json()
    assert (newest["number"], newest["stage"], newest["gates"]) == (2, "candidate", [])
    assert [(gate["gate"], gate["verdict"]) for gate in oldest["gates"]] == [("parity", "pass")]
    assert oldest["artifact_hash"] == ARTIFACT

    (run,) = trader.get("/api/runs?account=paper").json()
    assert (run["strategy"], run["version"], run["bars"], run["finished_at"] is None) == (
        "crossover",
        1,
        390,
        False,
    )
    assert trader.get("/api/runs?account=other").json() == []


def test_equity_is_cash_and_positions_at_the_closes_the_account_has_seen(
    trader: httpx.Client, floor: Floor
) -> None:
    closes = floor.candles("AAA", OPEN_BELL, 10, 50.0)
    assert trader.get("/api/equity?account=paper").json()["points"] == []
    floor.trade("AAA", "buy", 100, 50.0, OPEN_BELL)  # fills in the bar after
    floor.heartbeat(bar_ts_us=int((OPEN_BELL + 5 * MINUTE).timestamp() * 1e6))

    points = trader.get("/api/equity?account=paper").json()["points"]
    assert [point["cash"] for point in points] == [95_000.0] * 5
    assert [round(point["equity"], 6) for point in points] == [
        round(95_000 + 100 * close, 6) for close in closes[1:6]
    ]


def test_kill_is_in_the_ledger_and_wakes_the_engine(
    trader: httpx.Client, floor: Floor, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client, client.pubsub() as engine:
        engine.subscribe(bus.control("paper"))
        assert engine.get_message(timeout=5)  # the subscription itself
        answer = trader.post(
            "/api/control", json={"account": "paper", "mode": "killed", "reason": "fat finger"}
        )
        assert (answer.json()["mode"], answer.json()["verified_flat_at"]) == ("killed", None)
        assert engine.get_message(timeout=5)
    row = floor.db.execute("select mode, reason, actor, verified_flat_at from controls").fetchone()
    assert row == ("killed", "fat finger", "trader", None)

    floor.db.execute("update controls set verified_flat_at = clock_timestamp()")
    assert trader.get("/api/control?account=paper").json()["verified_flat_at"] is not None


def test_a_kill_without_a_reason_or_an_account_changes_nothing(trader: httpx.Client, floor: Floor) -> None:
    wanted = {"account": "paper", "mode": "killed", "reason": ""}
    assert problem(trader.post("/api/control", json=wanted)) == (422, "invalid")
    assert problem(trader.post("/api/control", json=wanted | {"account": "x", "reason": "why"})) == (
        404,
        "not_found",
    )
    assert floor.db.execute("select mode from controls").fetchone() == ("running",)


def test_kill_works_without_redis(
    start_monitor: Callable[..., Monitor], floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_REDIS_URL", "redis://127.0.0.1:1/0")
    get_settings.cache_clear()
    with start_monitor(DataSettings()).client("trader") as trader:
        answer = trader.post(
            "/api/control", json={"account": "paper", "mode": "killed", "reason": "no redis"}
        )
        assert answer.status_code == 200
        health = trader.get("/health").json()
    assert floor.db.execute("select mode from controls").fetchone() == ("killed",)
    assert (health["state"], health["parts"]["redis"]["state"]) == ("degraded", "down")


def test_health_names_every_part(monitor: Monitor, floor: Floor) -> None:
    answer = httpx.get(f"{monitor.url}/health")
    told = answer.json()
    assert answer.status_code == 200
    assert set(told["parts"]) == {"database", "redis", "exchange", "lake", "memory", "engine"}
    assert told["parts"]["database"]["state"] == told["parts"]["redis"]["state"] == "ok"


def test_health_misses_an_engine_only_while_a_run_is_open(monitor: Monitor, floor: Floor) -> None:
    def engine() -> dict[str, Any]:
        part: dict[str, Any] = httpx.get(f"{monitor.url}/health").json()["parts"]["engine"]
        return part

    assert engine()["state"] == "ok"
    floor.heartbeat()
    floor.version(1, "paper")
    floor.run(OPEN_BELL)
    assert engine()["state"] == "ok"
    floor.db.execute("update lease set heartbeat_at = clock_timestamp() - interval '1 minute'")
    assert engine()["state"] == "degraded"
    floor.db.execute("update runs set finished_at = clock_timestamp()")
    assert engine()["state"] == "ok"


@pytest.mark.full
def test_health_is_down_and_routes_are_503_when_the_ledger_is_gone(
    monitor: Monitor, start_monitor: Callable[..., Monitor]
) -> None:
    token = monitor.token("viewer")
    away = {"database_url": "postgresql://nobody@127.0.0.1:1/slipway", "state_dir": monitor.data.state_dir}
    cut_off = start_monitor(DataSettings.model_validate(away))
    health = httpx.get(f"{cut_off.url}/health")
    assert (health.status_code, health.json()["state"]) == (503, "down")
    answer = httpx.get(f"{cut_off.url}/api/accounts", headers={"Authorization": f"Bearer {token}"})
    assert problem(answer) == (503, "unavailable")


def test_the_api_describes_itself_completely(trader: httpx.Client) -> None:
    described = trader.get("/api/openapi.json").json()
    assert len(described["paths"]) >= 14
    for path, methods in described["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            if path.startswith("/api/") and path != "/api/auth/login":
                assert {"401", "403", "422", "503"} <= set(operation["responses"]), path
                assert operation["security"] == [{"HTTPBearer": []}], path
            error = operation["responses"]["422"]["content"]["application/json"]["schema"]
            assert error == {"$ref": "#/components/schemas/ErrorAnswer"}, path
    assert "HTTPValidationError" not in json.dumps(described)


@pytest.mark.full
def test_answers_tell_the_browser_to_be_strict(monitor: Monitor) -> None:
    for path in ("/health", "/api/accounts", "/"):
        headers = httpx.get(monitor.url + path).headers
        assert "script-src 'self';" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers
    stranger = httpx.get(f"{monitor.url}/health", headers={"Host": "evil.example"})
    assert stranger.status_code == 400


@pytest.mark.full
def test_a_page_that_is_not_built_says_how(start_monitor: Callable[..., Monitor], tmp_path: Any) -> None:
    monitor = start_monitor(page_dir=tmp_path)
    answer = httpx.get(monitor.url)
    assert (answer.status_code, "npm run build" in answer.text) == (503, True)
    (tmp_path / "index.html").write_text("<p>built")
    answer = httpx.get(monitor.url)
    assert (answer.status_code, answer.text, answer.headers["cache-control"]) == (
        200,
        "<p>built",
        "no-cache",
    )
    assert problem(httpx.get(f"{monitor.url}/assets/none.js")) == (404, "not_found")


def test_a_pause_does_not_take_the_place_of_a_kill_and_a_resume_ends_it(
    trader: httpx.Client, floor: Floor
) -> None:
    def said(mode: str) -> httpx.Response:
        return trader.post("/api/control", json={"account": "paper", "mode": mode, "reason": "drill"})

    assert said("killed").status_code == 200
    assert problem(said("paused")) == (409, "refused")
    assert floor.db.execute("select mode from controls").fetchone() == ("killed",)
    assert said("running").json()["mode"] == "running"
    floor.db.execute("update controls set mode = 'flattening'")
    assert trader.get("/api/control?account=paper").json()["mode"] == "flattening"
