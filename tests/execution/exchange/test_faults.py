"""Each fault does what its name says, as often as it was armed."""

import time

import pytest
import requests as http
from alpaca_client import TradingClient, requests
from exchange_process import Tape

from data.errors import Refused
from execution.exchange.faults import FaultKind

ORDER = requests.MarketOrderRequest(
    symbol="AAA", qty=1, side="buy", time_in_force="day", client_order_id="mine"
)


@pytest.fixture
def client(tape: Tape) -> TradingClient:
    return TradingClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)


def test_a_lost_reply_breaks_the_connection_after_the_order_is_in_the_books(
    tape: Tape, client: TradingClient
) -> None:
    tape.control.arm_fault(FaultKind.LOSE_REPLY)
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER)
    assert client.get_order_by_client_id("mine").status == "new"
    assert [event["event"] for event in tape.control.events()] == ["new"]


def test_a_lost_request_breaks_the_connection_and_nothing_is_in_the_books(
    tape: Tape, client: TradingClient
) -> None:
    tape.control.arm_fault(FaultKind.LOSE_REQUEST)
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER)
    assert client.get_orders() == []
    client.submit_order(ORDER)
    assert len(client.get_orders()) == 1


def test_a_delayed_reply_comes_late_while_the_order_already_trades(tape: Tape, client: TradingClient) -> None:
    tape.control.arm_fault(FaultKind.DELAY_REPLY, delay_ms=300)
    with pytest.raises(http.exceptions.ReadTimeout):
        http.post(
            f"{tape.url}/v2/orders",
            json=ORDER.to_request_fields(),
            headers={"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key},
            timeout=0.1,
        )
    tape.move(100.0)
    assert client.get_order_by_client_id("mine").status == "filled"
    tape.control.arm_fault(FaultKind.DELAY_REPLY, delay_ms=50)
    start = time.monotonic()
    client.submit_order(ORDER.model_copy(update={"client_order_id": "second"}))
    assert time.monotonic() - start >= 0.05


def test_a_fault_strikes_as_often_as_armed_and_only_accepted_orders(
    tape: Tape, client: TradingClient
) -> None:
    tape.control.arm_fault(FaultKind.LOSE_REPLY, count=2)
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER)
    with pytest.raises(Exception, match="must be unique"):  # a refusal is answered as ever
        client.submit_order(ORDER)
    left = http.get(f"{tape.url}/sim/faults", headers=dict(client._get_auth_headers()), timeout=5)
    assert left.json() == {"lose_reply": 1}
    with pytest.raises(http.exceptions.ConnectionError):
        client.submit_order(ORDER.model_copy(update={"client_order_id": "second"}))
    client.submit_order(ORDER.model_copy(update={"client_order_id": "third"}))


def test_an_unknown_fault_is_refused(tape: Tape) -> None:
    with pytest.raises(Refused, match="exchange refused /sim/faults"):
        tape.control.arm_fault("earthquake")  # type: ignore[arg-type]
