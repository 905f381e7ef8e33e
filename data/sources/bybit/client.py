"""How Bybit is asked, and what its errors mean."""

from typing import Final, TypeVar

import msgspec

from data.errors import Corrupt, Refused, SlipwayError, Unavailable, UsageError
from data.sources.answers import Answer, TryAgain
from data.sources.budget import Clock, budget_of
from data.sources.bybit.settings import PREFIX, BybitSettings
from data.sources.bybit.wire import Envelope
from data.sources.http import HttpReader, Params, Patience, Vendor

# From https://bybit-exchange.github.io/docs/v5/error
_OK: Final = 0
_TOO_MANY_VISITS: Final = 10006
_PASSING: Final = frozenset({429, 10000, 10016, _TOO_MANY_VISITS})
_WRONG_QUESTION: Final = frozenset({10001, 10029})
_NOT_HERE: Final = frozenset({10009, 10024})  # the region, compliance

Shape = TypeVar("Shape")


def reader(settings: BybitSettings, patience: Patience | None, clock: Clock | None) -> HttpReader:
    clock = clock or Clock()
    vendor = Vendor("Bybit", f"{PREFIX}DATA_URL", f"{PREFIX}REQUESTS_PER_S", _refusal)
    # Without keys Bybit counts by address.
    budget = budget_of(settings.data_url, settings.requests_per_s, 1.0, clock)
    return HttpReader(vendor, settings.data_url, budget, patience=patience, clock=clock)


def ask(source: HttpReader, path: str, params: Params, shape: type[Shape]) -> Shape:
    """The result out of its envelope, or what the error in it means."""
    envelope = source.get(path, params, Envelope, _verdict)
    code, said = envelope.ret_code, envelope.ret_msg
    if code in _WRONG_QUESTION:
        raise no_such(str(params["symbol"]), str(params["category"]), said)
    if code in _NOT_HERE:
        raise Refused(
            f"Bybit does not serve us here: {said}",
            f"Ask from a region that Bybit serves, or set {PREFIX}DATA_URL to the site of yours.",
        )
    if code != _OK:
        raise Unavailable(
            f"Bybit answers with its error {code}: {said}",
            "Look it up at https://bybit-exchange.github.io/docs/v5/error.",
        )
    try:
        return msgspec.json.decode(envelope.result, type=shape)
    except msgspec.DecodeError as error:
        raise strange(f"at {path} with something that cannot be read ({error})") from error


def no_such(symbol: str, category: str, why: str) -> UsageError:
    other = "linear" if category == "spot" else "spot"
    return UsageError(
        f"Bybit has no {category} instrument {symbol!r} ({why})",
        f"Write symbols like BTCUSDT; for {other} instruments set {PREFIX}CATEGORY={other}.",
    )


def strange(how: str) -> Corrupt:
    return Corrupt(
        f"Bybit answers {how}",
        "Try again later; if it stays so, the vendor changed its format and Slipway must follow.",
    )


def _verdict(told: Envelope, answer: Answer) -> None:
    """Which errors may be gone with the next question."""
    if told.ret_code not in _PASSING:
        return
    wait_s = None
    too_often = told.ret_code == _TOO_MANY_VISITS
    reset = answer.headers.get("x-bapi-limit-reset-timestamp", "")
    if too_often and reset.isdecimal() and told.time:  # both by Bybit's clock, so that ours may be wrong
        wait_s = max(0.0, (float(reset) - told.time) / 1000)
    raise TryAgain(
        f"answers with its error {told.ret_code} ({told.ret_msg})",
        f"Lower {PREFIX}REQUESTS_PER_S, or wait a few minutes." if too_often else None,
        wait_s=wait_s,
    )


def _refusal(answer: Answer) -> SlipwayError:
    """What an answer of 400 to 499 means; most of Bybit's errors come with 200."""
    said = answer.said()
    if answer.status == 403:
        return Refused(
            f"Bybit turns us away at {answer.url} ({said})",
            "Wait ten minutes without any request if we asked too often; else Bybit does not serve this region.",
        )
    return UsageError(
        f"Bybit does not take our question at {answer.url} (HTTP {answer.status}: {said})",
        f"Check {PREFIX}DATA_URL, the symbols and the range.",
    )
