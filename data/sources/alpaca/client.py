"""How Alpaca is asked: with keys in headers, page by page, and what its refusals mean."""

from collections.abc import Generator, Iterator
from typing import Final, TypeVar

import httpx
from pydantic import SecretStr

from data.errors import Corrupt, Refused, SlipwayError, Unavailable, UsageError
from data.sources.alpaca.settings import PREFIX, AlpacaDataSettings
from data.sources.alpaca.wire import Page
from data.sources.answers import Answer, NotThere
from data.sources.budget import Clock, budget_of
from data.sources.http import HttpReader, Params, Patience, Vendor

# 10,000 bars a page make 50 million bars: a year of minutes, extended hours included, of two hundred symbols.
PAGES_MAX: Final = 5_000
_MINUTE_S: Final = 60.0

AnyPage = TypeVar("AnyPage", bound=Page)


class _Keys(httpx.Auth):
    """Puts the keys on each request at the last moment, so that they are in no object that somebody might print."""

    def __init__(self, key_id: SecretStr, secret: SecretStr) -> None:
        self._key_id = key_id
        self._secret = secret

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["APCA-API-KEY-ID"] = self._key_id.get_secret_value()
        request.headers["APCA-API-SECRET-KEY"] = self._secret.get_secret_value()
        yield request


def reader(
    settings: AlpacaDataSettings, url_name: str, patience: Patience | None, clock: Clock | None
) -> HttpReader:
    """A reader of the address in the setting `url_name`."""
    key_id, secret = settings.keys()
    url = str(getattr(settings, url_name))
    clock = clock or Clock()
    # Alpaca counts per account, and market data apart from trading.
    budget = budget_of(f"{url} {key_id.get_secret_value()}", settings.requests_per_min, _MINUTE_S, clock)
    vendor = Vendor("Alpaca", f"{PREFIX}{url_name.upper()}", f"{PREFIX}REQUESTS_PER_MIN", refusal)
    return HttpReader(
        vendor,
        url,
        budget,
        auth=_Keys(key_id, secret),
        secrets=(key_id, secret),
        patience=patience,
        clock=clock,
    )


def pages(source: HttpReader, path: str, params: Params, shape: type[AnyPage]) -> Iterator[AnyPage]:
    """Every page of an answer; an error when there is no end to them."""
    seen: set[str] = set()
    token: str | None = None
    for _ in range(PAGES_MAX):
        page = source.get(path, {**params, "page_token": token} if token else params, shape)
        yield page
        token = page.next_page_token
        if not token:
            return
        if token in seen:
            raise Corrupt(
                f"Alpaca sends us round in a circle: a page of {path} names one that we had already",
                "Ask for a shorter range; if it stays so, tell Alpaca.",
            )
        seen.add(token)
    raise Unavailable(
        f"Alpaca still has more after {PAGES_MAX:,} pages of {path}",
        "Ask for fewer symbols or for a shorter range.",
    )


def refusal(answer: Answer) -> SlipwayError:
    """What an answer of 400 to 499 means, and what to do about it."""
    said = answer.said()
    if answer.status in (401, 403):
        if "subscription" in said.lower():
            return Refused(
                f"Alpaca does not give this to our subscription: {said}",
                f"Set {PREFIX}FEED=iex, ask for what is older than 15 minutes, or take a larger plan at Alpaca.",
            )
        return Refused(
            f"Alpaca refuses our keys at {answer.url} (HTTP {answer.status}: {said})",
            f"Check {PREFIX}KEY_ID and {PREFIX}SECRET; keys of a live account need "
            f"{PREFIX}TRADING_URL=https://api.alpaca.markets.",
        )
    if answer.status == 404:
        return NotThere(
            f"Alpaca has nothing at {answer.url} ({said})",
            f"Check the symbol, {PREFIX}DATA_URL and {PREFIX}TRADING_URL.",
        )
    return UsageError(
        f"Alpaca does not take our question at {answer.url} (HTTP {answer.status}: {said})",
        "Check the symbols and the range.",
    )
