"""Reading from a vendor: tried again while that can help, never for ever, and without a word about the keys."""

import gzip
import json
import time
from collections.abc import Generator
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import httpx
import msgspec
import pytest
from clock_by_hand import HandClock
from pydantic import SecretStr
from vendor_on_loopback import (
    Send,
    VendorServer,
    hang_up,
    page,
    raw,
    silence,
    told,
    trickle,
    truncated,
    vendor_server,
)

from data.errors import Corrupt, SlipwayError, Unavailable, UsageError
from data.sources.answers import Answer
from data.sources.budget import Budget, budget_of
from data.sources.http import HttpReader, Patience, Vendor

SECRET = "s3cret-of-the-account"
HASTY = Patience(connect_s=1.0, read_s=0.2, request_s=0.3, tries=2)
LONG_AGO_S = 10.0  # far more than the patience of any test, far less than the timeout of one


class Price(msgspec.Struct):
    price: float


class Key(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["X-Key"] = SECRET
        yield request


def refusal(answer: Answer) -> SlipwayError:
    return UsageError(f"{answer.url} says {answer.status}: {answer.said()}", "Ask for something else.")


ACME = Vendor("Acme", "SLIPWAY_ACME_URL", "SLIPWAY_ACME_RATE", refusal)


def reader(url: str, hand: HandClock, patience: Patience | None = None) -> HttpReader:
    budget = Budget(1_000, 1.0, hand.clock())
    return HttpReader(
        ACME,
        url,
        budget,
        auth=Key(),
        secrets=(SecretStr(SECRET),),
        patience=patience,
        clock=hand.clock(),
    )


def ask(vendor: VendorServer, hand: HandClock, *replies: Send, patience: Patience | None = None) -> Price:
    vendor.on("/price", *replies)
    return reader(vendor.url, hand, patience).get("/price", {"of": "AAPL,MSFT"}, Price)


def test_a_read_gives_what_was_asked_for(vendor: VendorServer, hand: HandClock) -> None:
    assert ask(vendor, hand, told({"price": 7, "more": "than we know"})) == Price(7.0)
    (asked,) = vendor.asked
    assert asked.query == {"of": "AAPL,MSFT"}
    assert asked.headers["X-Key"] == SECRET


@pytest.mark.parametrize(
    "trouble",
    [
        told({"message": "internal server error"}, 500),
        page("<html><title>502 Bad Gateway</title></html>", 502),
        raw(b"", 503),
        told({"message": "too many requests."}, 429),
        truncated({"price": 7, "padding": "x" * 100}),
        page("<html><title>Maintenance</title></html>"),
        raw(b'{"price": 7'),
        raw(b"not gzip", Content_Encoding="gzip"),
        raw(b'{"price": "\xff"}'),
        hang_up,
    ],
    ids=["500", "502", "503", "429", "truncated", "html", "half-json", "broken-gzip", "not-utf8", "hung-up"],
)
def test_a_trouble_that_passes_is_not_noticed(vendor: VendorServer, hand: HandClock, trouble: Send) -> None:
    assert ask(vendor, hand, trouble, trouble, told({"price": 7})).price == 7
    assert len(vendor.asked) == 3


def test_a_compressed_answer_is_read(vendor: VendorServer, hand: HandClock) -> None:
    content = gzip.compress(json.dumps({"price": 7}).encode())
    assert ask(vendor, hand, raw(content, Content_Encoding="gzip")).price == 7


@pytest.mark.full
def test_waits_double_and_chance_makes_them_shorter(vendor: VendorServer, hand: HandClock) -> None:
    with pytest.raises(Unavailable):
        ask(vendor, hand, raw(b"", 500))
    assert hand.slept_s == [0.5, 1.0, 2.0, 4.0]
    hand.slept_s.clear()
    hand.chance = 0.5
    with pytest.raises(Unavailable):
        ask(vendor, hand, raw(b"", 500))
    assert hand.slept_s == [0.375, 0.75, 1.5, 3.0]


def test_who_is_asked_too_often_says_when_to_come_back(vendor: VendorServer, hand: HandClock) -> None:
    in_a_while = hand.at + timedelta(seconds=20 + 7)
    replies = [
        told({"message": "too many requests."}, 429, Retry_After="20"),
        told({"message": "too many requests."}, 429, Retry_After=format_datetime(in_a_while, usegmt=True)),
        told({"message": "too many requests."}, 429, X_RateLimit_Reset=str(int(hand.at.timestamp()) + 60)),
        told({"price": 7}),
    ]
    assert ask(vendor, hand, *replies).price == 7
    assert hand.slept_s == [20.0, 7.0, 33.0]


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e9", "", "Wed, 99 Foo"])
def test_a_wait_that_cannot_be_read_is_our_own(vendor: VendorServer, hand: HandClock, nonsense: str) -> None:
    limited = told({}, 429, Retry_After=nonsense, X_RateLimit_Reset="whenever")
    assert ask(vendor, hand, limited, told({"price": 7})).price == 7
    assert hand.slept_s == [0.5]


def test_a_moment_that_is_past_asks_for_no_wait(vendor: VendorServer, hand: HandClock) -> None:
    limited = told({}, 429, X_RateLimit_Reset="1")
    assert ask(vendor, hand, limited, told({"price": 7})).price == 7
    assert hand.slept_s == [0.0]


def test_a_wait_beyond_our_patience_is_told_to_a_person_at_once(
    vendor: VendorServer, hand: HandClock
) -> None:
    with pytest.raises(
        Unavailable, match=r"too often .*asked once; it asks us to wait 3,600 s.*SLIPWAY_ACME_RATE"
    ):
        ask(vendor, hand, told({}, 429, Retry_After="3600"))
    assert len(vendor.asked) == 1
    assert hand.slept_s == []


def test_tries_have_an_end_that_names_the_address(vendor: VendorServer, hand: HandClock) -> None:
    with pytest.raises(Unavailable, match=rf"HTTP 503.*{vendor.url}/price, asked 5 times.*SLIPWAY_ACME_URL"):
        ask(vendor, hand, raw(b"", 503))
    assert len(vendor.asked) == 5


def test_an_answer_that_always_breaks_off_is_an_outage(vendor: VendorServer, hand: HandClock) -> None:
    with pytest.raises(Unavailable, match=rf"broke off its answer \({vendor.url}/price"):
        ask(vendor, hand, truncated({"price": 7, "padding": "x" * 100}))


@pytest.mark.parametrize(
    "content", [b"<html>hello</html>", b'{"cost": 7}', b'{"price": "seven"}', b"[7]", b"null", b""]
)
def test_an_answer_of_another_shape_is_never_taken_for_data(
    vendor: VendorServer, hand: HandClock, content: bytes
) -> None:
    with pytest.raises(
        Corrupt, match=rf"something else than what its documentation says.*{vendor.url}/price"
    ):
        ask(vendor, hand, raw(content))


@pytest.mark.full
def test_a_server_that_never_answers_holds_us_for_a_moment_only(
    vendor: VendorServer, hand: HandClock
) -> None:
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match=r"was silent for 0\.2 s.*asked 2 times"):
        ask(vendor, hand, silence, patience=HASTY)
    assert time.monotonic() - began_s < LONG_AGO_S


@pytest.mark.full
@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\nX-Padding: ",
        b'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"price": ',
        b'HTTP/1.0 200 OK\r\n\r\n{"price": 7}',
    ],
    ids=["headers", "body", "body-without-length"],
)
def test_a_server_that_trickles_holds_us_for_a_moment_only(
    vendor: VendorServer, hand: HandClock, beginning: bytes
) -> None:
    began_s = time.monotonic()
    with pytest.raises(Unavailable, match=r"did not finish its answer within 0\.3 s.*asked 2 times"):
        ask(vendor, hand, trickle(beginning), patience=HASTY)
    assert time.monotonic() - began_s < LONG_AGO_S


@pytest.mark.full
def test_a_trickle_ends_behind_tls_too(tls_vendor: VendorServer, hand: HandClock) -> None:
    assert ask(tls_vendor, hand, told({"price": 7})).price == 7
    with pytest.raises(Unavailable, match=r"did not finish its answer within 0\.3 s"):
        ask(tls_vendor, hand, trickle(b"HTTP/1.1 200 OK\r\nX-Padding: "), patience=HASTY)


def test_a_page_without_an_end_does_not_fill_the_memory(
    vendor: VendorServer, hand: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.sources.http._BODY_BYTES_MAX", 100)
    with pytest.raises(Corrupt, match="more than 100 bytes"):
        ask(vendor, hand, raw(gzip.compress(b" " * 1_000), Content_Encoding="gzip"))


def test_nobody_there_is_an_outage_that_names_the_setting(hand: HandClock) -> None:
    with vendor_server() as gone:
        pass
    with pytest.raises(Unavailable, match=r"Acme cannot be reached .*SLIPWAY_ACME_URL"):
        reader(gone.url, hand).get("/price", {}, Price)


def test_a_refusal_is_final_and_tells_the_vendors_reason(vendor: VendorServer, hand: HandClock) -> None:
    with pytest.raises(UsageError, match=rf"{vendor.url}/price says 422: invalid symbol: ZZZ!\. Ask"):
        ask(vendor, hand, told({"code": 42210000, "message": "invalid symbol: ZZZ!"}, 422))
    assert len(vendor.asked) == 1


def test_of_an_error_page_only_its_title_is_told(vendor: VendorServer, hand: HandClock) -> None:
    html = "<html>\r\n<head><title>401 Authorization\nRequired</title></head><body>nginx</body></html>"
    with pytest.raises(UsageError, match=r"says 401: 401 Authorization Required\. Ask"):
        ask(vendor, hand, page(html, 401))


def test_of_a_long_or_binary_reason_only_a_line_is_told(vendor: VendorServer, hand: HandClock) -> None:
    with pytest.raises(UsageError) as caught:
        ask(vendor, hand, raw(b"\x1b[31mred\x00\xff" + b"x" * 5_000, 400, "text/plain"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_keys_are_in_no_error_no_log_and_no_name(
    vendor: VendorServer, hand: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"bad key \(hidden\)") as caught:
        ask(vendor, hand, raw(b"", 500), told({"message": f"bad key {SECRET}"}, 403))
    source = reader(vendor.url, hand)
    seen = [str(caught.value), repr(caught.value), repr(source), repr(vars(source)), *capsys.readouterr()]
    assert "asking again" in "".join(seen)
    assert SECRET not in "".join(seen)


def test_keys_are_not_carried_to_another_address(vendor: VendorServer, hand: HandClock) -> None:
    with vendor_server() as elsewhere:
        with pytest.raises(UsageError, match=r"sends us on to 127\.0\.0\.1, where our keys must not go"):
            ask(vendor, hand, raw(b"", 302, Location=f"{elsewhere.url}/price"))
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    "url", ["", "data.acme.com", "ftp://acme.com", "https://", "https://me:pass@acme.com"]
)
def test_an_address_that_cannot_be_asked_names_the_setting(hand: HandClock, url: str) -> None:
    with pytest.raises(UsageError, match="SLIPWAY_ACME_URL is not an address") as caught:
        reader(url, hand)
    assert "pass@" not in str(caught.value)


def test_never_more_requests_than_the_limit_in_any_period(hand: HandClock) -> None:
    budget = Budget(200, 60.0, hand.clock())
    sent_at_s: list[float] = []
    for number in range(1_000):
        if number == 500:
            hand.passed_s += 1_000.0  # a long rest fills the bucket, not more
        budget.take()
        sent_at_s.append(hand.passed_s)
    spans = [after - before for before, after in zip(sent_at_s, sent_at_s[200:], strict=False)]
    assert min(spans) >= 60.0 - 1e-6
    assert sent_at_s[19] == 0.0  # a tenth may go out at once
    assert max(after - before for before, after in pairwise(sent_at_s[:500])) < 0.34


def test_one_account_has_one_budget(hand: HandClock) -> None:
    clock = hand.clock()
    assert budget_of("acme key-1", 10, 60.0, clock) is budget_of("acme key-1", 10, 60.0, clock)
    assert budget_of("acme key-1", 10, 60.0, clock) is not budget_of("acme key-2", 10, 60.0, clock)


def test_every_try_comes_out_of_the_budget(vendor: VendorServer, hand: HandClock) -> None:
    taken: list[Any] = []

    class Counting(Budget):
        def take(self) -> None:
            taken.append(None)

    vendor.on("/price", raw(b"", 500), told({"price": 7}))
    source = HttpReader(ACME, vendor.url, Counting(2, 1.0, hand.clock()), clock=hand.clock())
    source.get("/price", {}, Price)
    assert len(taken) == 2
