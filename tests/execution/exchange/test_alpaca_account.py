"""What alpaca-py asks about an account, its history and its market, and what its stream hears of every event."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import pytest
from alpaca_client import TradingClient, TradingStream, models, requests
from exchange_process import Tape, bar

A_DAY = 24 * 60  # minutes


@pytest.fixture
def open_client(open_tape: Callable[..., Tape]) -> Callable[..., tuple[Tape, TradingClient]]:
    def opened(**terms: Any) -> tuple[Tape, TradingClient]:
        tape = open_tape(**{"slippage_bps": 0.0, **terms})
        return tape, TradingClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)

    return opened


def buy(client: TradingClient, qty: float = 10, **more: Any) -> models.Order:
    asked = {"symbol": "AAA", "qty": qty, "side": "buy", "time_in_force": "day", **more}
    kind = requests.LimitOrderRequest if "limit_price" in more else requests.MarketOrderRequest
    return client.submit_order(kind(**asked))


def test_yesterday_is_in_the_account_the_position_and_the_history(
    open_client: Callable[..., tuple[Tape, TradingClient]],
) -> None:
    tape, client = open_client()
    buy(client)
    tape.control.post_bars([bar(0, 100.0)])
    tape.control.post_bars([bar(1, 105.0)])
    buy(client)
    tape.control.post_bars([bar(A_DAY, 110.0)])
    account = client.get_account()
    assert (account.last_equity, account.equity) == ("100050.0", "100100.0")
    position = client.get_open_position("AAA")
    assert (position.lastday_price, position.qty) == ("105.0", "20")
    assert float(position.change_today or 0) == pytest.approx(110 / 105 - 1)
    assert float(position.unrealized_intraday_pl or 0) == 10 * (110 - 105)  # the other ten were bought at 110
    assert float(position.unrealized_pl or 0) == 100.0

    history = client.get_portfolio_history()
    assert history.equity == [100_050.0, 100_100.0]
    assert history.profit_loss == [50.0, 100.0]
    assert history.timeframe == "1D"
    assert datetime.fromtimestamp(history.timestamp[0]).date() <= date(2025, 11, 11)
    last = client.get_portfolio_history(requests.GetPortfolioHistoryRequest(period="1D", timeframe="1D"))
    assert (last.equity, last.profit_loss, last.base_value) == ([100_100.0], [50.0], 100_050.0)


def test_settings_of_an_account_are_read_and_changed(
    open_client: Callable[..., tuple[Tape, TradingClient]],
) -> None:
    _, client = open_client()
    settings = client.get_account_configurations()
    assert (settings.suspend_trade, settings.no_shorting, settings.max_margin_multiplier) == (
        False,
        False,
        "4",
    )
    settings.suspend_trade, settings.no_shorting, settings.max_margin_multiplier = True, True, "2"
    assert client.set_account_configurations(settings) == settings
    assert client.get_account_configurations() == settings
    account = client.get_account()
    assert (account.trade_suspended_by_user, account.shorting_enabled, account.multiplier) == (
        True,
        False,
        "2",
    )
    assert float(account.buying_power or 0) == 200_000.0


def test_activities_name_fees_beside_fills(open_client: Callable[..., tuple[Tape, TradingClient]]) -> None:
    tape, client = open_client(sale_fee_bps=10.0)
    buy(client)
    tape.control.post_bars([bar(0, 100.0)])
    client.close_position("AAA")
    tape.control.post_bars([bar(1, 100.0)])
    assert client.get_account().accrued_fees == "1.0"
    tape.control.post_bars([bar(A_DAY, 100.0)])
    assert client.get_account().accrued_fees == "0"

    told = client.get("/account/activities", {"direction": "asc"})
    assert [each["activity_type"] for each in told] == ["FILL", "FILL", "FEE"]
    fee = models.NonTradeActivity(**told[-1])
    assert (fee.net_amount, fee.date) == (-1.0, date(2025, 11, 11))
    assert client.get("/account/activities/FEE", {}) == [told[-1]]
    assert client.get("/account/activities", {"activity_types": "FILL,FEE", "page_size": 1}) == [told[-1]]
    page = {"direction": "asc", "page_size": 2, "page_token": told[0]["id"]}
    assert client.get("/account/activities", page) == told[1:]


@pytest.mark.full  # the exchange loads its calendars
def test_the_calendar_knows_holidays_and_half_days(
    open_client: Callable[..., tuple[Tape, TradingClient]],
) -> None:
    _, client = open_client()
    asked = requests.GetCalendarRequest(start=date(2025, 11, 26), end=date(2025, 11, 30))
    wednesday, friday = client.get_calendar(asked)
    assert (wednesday.date, f"{wednesday.open:%H:%M}", f"{wednesday.close:%H:%M}") == (
        date(2025, 11, 26),
        "09:30",
        "16:00",
    )
    assert (friday.date, f"{friday.close:%H:%M}") == (date(2025, 11, 28), "13:00")


@pytest.mark.full
def test_the_clock_of_an_account_with_sessions_is_that_of_its_tape(
    open_client: Callable[..., tuple[Tape, TradingClient]],
) -> None:
    tape, client = open_client(hours="XNYS")
    tape.control.post_bars([bar(388, 100.0)])  # 15:58
    clock = client.get_clock()
    assert clock.is_open
    assert f"{clock.timestamp:%Y-%m-%d %H:%M}" == "2025-11-11 20:59"
    assert f"{clock.next_close:%Y-%m-%d %H:%M}" == "2025-11-11 21:00"
    assert f"{clock.next_open:%Y-%m-%d %H:%M}" == "2025-11-12 14:30"
    tape.control.post_bars([bar(389, 100.0)])
    assert not client.get_clock().is_open


@pytest.mark.full
def test_trading_stream_understands_every_event(
    open_client: Callable[..., tuple[Tape, TradingClient]],
) -> None:
    tape, client = open_client(latency_us=90_000_000, hours="XNYS", participation=0.009)

    def session() -> None:
        tape.control.post_bars([bar(0, 100.0)])
        buy(client, 10, limit_price=100.0)
        lasting = buy(client, 1, limit_price=50.0, time_in_force="gtc")
        dies = buy(client, 1, limit_price=50.0)
        for minute in (1, 2, 3):  # nine of the ten, in the first bar after they arrived
            tape.control.post_bars([bar(minute, 100.0)])
        replaced = client.replace_order_by_id(dies.id, requests.ReplaceOrderRequest(limit_price=51.0))
        late = buy(client, 9, limit_price=100.0)
        tape.control.post_bars([bar(5, 105.0)])
        tape.control.post_bars([bar(7, 105.0)])
        client.cancel_order_by_id(late.id)
        tape.control.post_bars([bar(8, 100.0)])
        client.replace_order_by_id(lasting.id, requests.ReplaceOrderRequest(limit_price=99.5))
        tape.control.post_bars([bar(9, 45.0)])
        client.cancel_order_by_id(buy(client, 1, limit_price=10.0).id)
        buy(client, 1, limit_price=20.0)
        buy(client, 1, limit_price=20.0, time_in_force="gtc")
        tape.control.post_bars([bar(12, 45.0)])
        tape.control.post_bars([bar(389, 45.0)])
        assert client.get_order_by_id(replaced.id).status == "filled"

    heard = asyncio.run(hear(tape, lambda: buy(client, 1, symbol="ZZZ", limit_price=1.0), session))
    assert {update.event for update in heard} == {
        "pending_new", "new", "partial_fill", "fill", "done_for_day", "pending_cancel", "order_cancel_rejected",
        "canceled", "pending_replace", "order_replace_rejected", "replaced", "rejected", "expired",
    }  # fmt: skip
    told = [event["event"] for event in tape.control.events()]
    assert [update.event for update in heard] == told[-len(heard) :]


async def hear(
    tape: Tape, knock: Callable[[], models.Order], session: Callable[[], None]
) -> list[models.TradeUpdate]:
    """What alpaca-py's stream hears of a session, to the last event of the account."""
    url = tape.url.replace("http", "ws") + "/stream"
    stream = TradingStream(tape.keys.key_id, tape.keys.secret_key, url_override=url)
    updates: asyncio.Queue[models.TradeUpdate] = asyncio.Queue()
    stream.subscribe_trade_updates(updates.put)
    running = asyncio.create_task(stream._run_forever())
    heard: list[models.TradeUpdate] = []
    try:
        while not heard:  # it does not say when it listens, so orders go until one is heard of
            last = await asyncio.to_thread(knock)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    heard.append(await updates.get())
        while heard[-1].order.id != last.id:
            heard.append(await updates.get())
        first_seq = tape.control.clock().seq
        await asyncio.to_thread(session)
        for _ in range(tape.control.clock().seq - first_seq):
            async with asyncio.timeout(5):
                heard.append(await updates.get())
    finally:
        while not running.done():  # wait_for, which alpaca-py sits in, may swallow a cancellation
            running.cancel()
            await asyncio.wait([running], timeout=0.1)
        await stream.close()
    return heard
