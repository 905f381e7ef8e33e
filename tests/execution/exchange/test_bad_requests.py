"""Whatever a client sends, the answer is one JSON error that names the field, and nothing changed."""

import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest
from exchange_process import OPEN_US, ExchangeProcess, Tape

GOOD = {"symbol": "AAA", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
BAR = ["AAA", "1m", OPEN_US, 100.0, 101.0, 99.0, 100.0, 1_000.0]


def send(tape: Tape, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection(tape.url.removeprefix("http://"), timeout=30)
    keys = {"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key}
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, raw, {**keys, **headers})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"qty": "0"}, "qty must be > 0"),
        ({"qty": "-1"}, "qty must be > 0"),
        ({"qty": "ten"}, "qty must be a number"),
        ({"qty": "nan"}, "qty must be a finite number"),
        ({"qty": None}, "qty is required"),
        ({"qty": [1]}, "request body format is invalid"),
        ({"notional": "100"}, "only one of qty or notional"),
        ({"qty": None, "notional": "lots"}, "notional must be a number"),
        ({"symbol": None}, "symbol is required"),
        ({"symbol": "aaa"}, "symbol is required"),
        ({"symbol": "AAA'; --"}, "symbol is required"),
        ({"side": "hold"}, "side must be one of buy, sell"),
        ({"type": "iceberg"}, "type must be one of market, limit, stop, stop_limit, trailing_stop"),
        ({"type": "stop"}, "stop orders require a stop price > 0"),
        ({"type": "stop", "stop_price": "1", "limit_price": "1"}, "stop orders require no limit price"),
        ({"type": "stop_limit", "stop_price": "1"}, "stop_limit orders require a limit price > 0"),
        ({"type": "trailing_stop"}, "require one of trail_price > 0 and trail_percent"),
        ({"type": "trailing_stop", "trail_price": "1", "trail_percent": "1"}, "require one of trail_price"),
        ({"type": "trailing_stop", "trail_percent": "100"}, "trail_percent from 0 to 100"),
        ({"trail_price": "1"}, "market orders require no trail_price"),
        ({"type": "limit"}, "limit orders require a limit price"),
        ({"type": "limit", "limit_price": "-5"}, "limit orders require a limit price > 0"),
        ({"limit_price": "5"}, "market orders require no limit price"),
        ({"time_in_force": "week"}, "time_in_force must be one of day, gtc, ioc, fok, opg, cls"),
        ({"extended_hours": True}, 'only type="limit" is allowed for extended hours orders'),
        ({"order_class": "ladder"}, "order_class must be one of simple, bracket, oco, oto"),
        ({"order_class": "bracket"}, "bracket orders require take_profit.limit_price"),
        ({"order_class": "oto"}, "oto orders require either take_profit or stop_loss"),
        ({"take_profit": {"limit_price": "9"}}, "simple orders have no legs"),
        ({"stop_loss": {"limit_price": "9"}}, "stop_loss.stop_price is required"),
        (
            {"order_class": "oto", "take_profit": {"limit_price": "-9"}},
            "prices of take_profit and stop_loss must be > 0",
        ),
        ({"client_order_id": "x" * 129}, "client_order_id must be at most 128"),
    ],
)
def test_a_bad_order_is_a_422_that_names_the_field(tape: Tape, change: dict[str, Any], says: str) -> None:
    status, answer = send(tape, "POST", "/v2/orders", {**GOOD, **change})
    assert (status, answer["code"]) == (422, 40010001)
    assert says in answer["message"]
    assert tape.control.clock().seq == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"qty=1&symbol=AAA"])
@pytest.mark.parametrize(
    "path", ["/v2/orders", "/sim/bars", "/sim/ticks", "/sim/halts", "/sim/accounts", "/sim/faults"]
)
def test_a_body_that_is_not_the_expected_json_is_a_422(tape: Tape, path: str, body: bytes) -> None:
    status, answer = send(tape, "POST", path, body)
    assert (status, answer["code"]) == (422, 40010001)


def test_a_body_of_many_megabytes_is_refused(tape: Tape) -> None:
    status, answer = send(tape, "POST", "/v2/orders", b"x" * (5 << 20))
    assert (status, answer["code"]) == (413, 41310000)


@pytest.mark.parametrize(
    ("bars", "says"),
    [
        ([], "bars is empty"),
        ([BAR, BAR], "bars has AAA twice"),
        ([BAR, ["BBB", "1m", OPEN_US + 1, *BAR[3:]]], "different timestamps"),
        ([["AAA", "1m", OPEN_US, 100.0, 99.0, 99.0, 100.0, 1.0]], "outside low and high"),
        ([["AAA", "1m", OPEN_US, 0.0, 1.0, 0.0, 1.0, 1.0]], "not positive"),
        ([["AAA", "1m", OPEN_US, 100.0, 101.0, 99.0, 100.0, -1.0]], "negative volume"),
        ([["AAA", "1m", OPEN_US, None, 101.0, 99.0, 100.0, 1.0]], "format is invalid"),
        ([["no symbol", "1m", *BAR[2:]]], "is no symbol"),
    ],
)
def test_bad_bars_do_not_move_the_tape(tape: Tape, bars: list[Any], says: str) -> None:
    status, answer = send(tape, "POST", "/sim/bars", {"bars": bars})
    assert (status, answer["code"]) == (422, 40010001)
    assert says in answer["message"]
    assert tape.control.clock() == (0, None)


TICK = ["AAA", OPEN_US, 99.0, 101.0, 100.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("ticks", "says"),
    [
        ([], "ticks is empty"),
        ([TICK, ["AAA", OPEN_US + 1, 99.0]], "different timestamps"),
        ([["no symbol", OPEN_US, 99.0]], "is no symbol"),
        ([["AAA", OPEN_US]], "has no price"),
        ([["AAA", OPEN_US, -1.0]], "not positive"),
        ([["AAA", OPEN_US, 101.0, 99.0]], "is crossed"),
        ([["AAA", OPEN_US, 99.0, 101.0, None, -1.0]], "a size below zero"),
        ([["AAA", "now", 99.0]], "format is invalid"),
    ],
)
def test_bad_ticks_do_not_move_the_market(tape: Tape, ticks: list[Any], says: str) -> None:
    status, answer = send(tape, "POST", "/sim/ticks", {"ticks": ticks})
    assert (status, answer["code"]) == (422, 40010001)
    assert says in answer["message"]
    assert send(tape, "GET", "/v2/assets")[1] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "order parameters are not changed"),
        ({"qty": "-1"}, "qty must be > 0"),
        ({"qty": "many"}, "qty must be a number"),
        ({"limit_price": "0"}, "limit_price must be > 0"),
        ({"limit_price": "nan"}, "limit_price must be a finite number"),
        ({"stop_price": "5"}, "limit orders require no stop price"),
        ({"trail": "5"}, "trail must be > 0, and belongs to trailing_stop orders"),
        ({"time_in_force": "week"}, "time_in_force must be one of"),
        ({"time_in_force": "fok"}, "time_in_force can be changed to day or gtc only"),
        ({"client_order_id": "x" * 129}, "client_order_id must be at most 128"),
        ({"qty": [1]}, "request body format is invalid"),
    ],
)
def test_a_bad_replace_leaves_the_order_as_it_was(tape: Tape, change: dict[str, Any], says: str) -> None:
    _, order = send(tape, "POST", "/v2/orders", {**GOOD, "type": "limit", "limit_price": "5"})
    status, answer = send(tape, "PATCH", f"/v2/orders/{order['id']}", change)
    assert status == 422
    assert says in answer["message"]
    assert send(tape, "GET", f"/v2/orders/{order['id']}")[1] == order


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v2/account/configurations", {"max_margin_multiplier": "3"}),
        ("PATCH", "/v2/account/configurations", {"suspend_trade": "maybe"}),
        ("GET", "/v2/account/portfolio/history?period=soon", None),
        ("GET", "/v2/account/portfolio/history?timeframe=1Min", None),
        ("GET", "/v2/calendar?start=yesterday", None),
        ("GET", "/v2/calendar?start=2025-02-01&end=2025-01-01", None),
        ("GET", "/v2/calendar?start=1850-01-01", None),
    ],
)
def test_a_question_that_makes_no_sense_is_a_422(tape: Tape, method: str, path: str, body: object) -> None:
    status, answer = send(tape, method, path, body)
    assert (status, answer["code"]) == (422, 40010001)


@pytest.mark.parametrize(
    "query",
    ["status=new", "limit=0", "limit=501", "limit=x", "direction=up", "after=yesterday", "until=2025-13-01"],
)
def test_a_bad_list_query_is_a_422(tape: Tape, query: str) -> None:
    assert send(tape, "GET", f"/v2/orders?{query}")[0] == 422


@pytest.mark.parametrize(
    "query", ["page_size=101", "direction=x", "page_token=x", "page_token=20251111093000000::nobody"]
)
def test_a_bad_activities_query_is_a_422(tape: Tape, query: str) -> None:
    assert send(tape, "GET", f"/v2/account/activities/FILL?{query}")[0] == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("GET", "/", 404),
        ("PUT", "/v2/orders", 405),
        ("GET", "/v2/orders/not-a-uuid", 404),
        ("DELETE", "/v2/orders/not-a-uuid", 404),
        ("GET", "/v2/orders:by_client_order_id", 404),
        ("GET", "/v2/assets/no%20symbol", 404),
        ("GET", "/sim/events?after=-1", 422),
        ("GET", f"/sim/events?after={2**64}", 422),
    ],
)
def test_a_wrong_path_has_the_same_error_shape(tape: Tape, method: str, path: str, status: int) -> None:
    answered, answer = send(tape, method, path)
    assert answered == status
    assert answer["code"] // 100_000 in (status, 400)
    assert answer["message"]


@pytest.mark.parametrize("path", ["/v2/account", "/v2/orders", "/v2/positions", "/sim/clock", "/sim/events"])
def test_every_account_route_asks_for_keys(tape: Tape, path: str) -> None:
    status, answer = send(tape, "GET", path, **{"APCA-API-SECRET-KEY": "wrong"})
    assert (status, answer["code"]) == (401, 40110000)


def test_keys_that_are_no_text_are_wrong_keys(tape: Tape) -> None:
    assert send(tape, "GET", "/v2/account", **{"APCA-API-SECRET-KEY": "\xff"})[0] == 401
    assert send(tape, "GET", "/v2/account", **{"APCA-API-KEY-ID": "\xff"})[0] == 401


def test_a_page_that_pretends_to_be_local_under_another_name_is_turned_away(tape: Tape) -> None:
    assert send(tape, "POST", "/sim/accounts", {"name": "x"}, Host="evil.example")[0] == 403


def test_opening_an_account_again_returns_its_keys_but_never_other_terms(
    exchange: ExchangeProcess, open_tape: Callable[..., Tape]
) -> None:
    tape = open_tape()
    terms = {"name": "again", "cash": 5_000, "slippage_bps": 2}
    status, keys = send(tape, "POST", "/sim/accounts", terms)
    assert status == 200
    assert send(tape, "POST", "/sim/accounts", terms) == (200, keys)
    assert send(tape, "POST", "/sim/accounts", {"name": "again"}) == (200, keys)
    status, answer = send(tape, "POST", "/sim/accounts", {**terms, "cash": 6_000})
    assert status == 422
    assert answer["message"] == "account again exists with another cash; name a new one"


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"name": ""},
        {"name": "../x"},
        {"name": "x", "cash": 0},
        {"name": "x", "cash": "lots"},
        {"name": "x", "multiplier": 0.5},
        {"name": "x", "slippage_bps": -1},
        {"name": "x", "participation": 2},
        {"name": "x", "commision_bps": 1},
        {"name": "x", "spread_bps": -1},
        {"name": "x", "spread_bps": 20_000},
        {"name": "x", "latency_us": -1},
        {"name": "x", "sale_fee_bps": -1},
        {"name": "x", "hours": "XLON"},
        {"name": "x", "rules": "none"},
        {"name": "x", "assets": {"AAA": {"shorteable": False}}},
    ],
)
def test_an_account_with_senseless_terms_is_not_opened(tape: Tape, terms: dict[str, Any]) -> None:
    assert send(tape, "POST", "/sim/accounts", terms)[0] == 422
