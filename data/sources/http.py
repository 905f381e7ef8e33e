"""The one way to read from a vendor over HTTP: patient, polite, and never for ever.

Reads are idempotent, so they are tried again; orders never come this way.  A read ends in an object of the shape
that was asked for, or in an error that says who must do what.  Keys are in no error and no log line.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx
import msgspec
import structlog
from pydantic import SecretStr

from data.errors import Corrupt, SlipwayError, UsageError
from data.sources.answers import Answer, TryAgain, asked_wait_s
from data.sources.budget import Budget, Clock
from data.sources.deadline import Deadline

_BODY_BYTES_MAX: Final = 64 * 1024 * 1024  # 10,000 bars, the longest page there is, are a fiftieth of it
_TOO_OFTEN: Final = 429
_PASSING: Final = frozenset(
    {408, 425, _TOO_OFTEN}
)  # and everything from 500: the same question may be answered later
_HIDDEN: Final = b"(hidden)"

Shape = TypeVar("Shape")
Params = Mapping[str, str | int]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a read may take and how often it is tried."""

    connect_s: float = 2.0
    read_s: float = 10.0  # of silence
    request_s: float = 60.0  # one try as a whole; ten megabytes at 1.5 Mbit/s
    tries: int = 5  # with these waits a vendor's restart of some seconds is bridged
    first_wait_s: float = 0.5  # doubles with each try
    longest_wait_s: float = 90.0  # rate limits renew within a minute; who asks for more is told to a person


@dataclass(frozen=True, slots=True)
class Vendor:
    """Whom a reader asks, and what a person can do when he says no."""

    name: str
    url_setting: str
    rate_setting: str
    refusal: Callable[[Answer], SlipwayError]  # what an answer of 400 to 499 means


class HttpReader:
    """Reads JSON from one address."""

    def __init__(
        self,
        vendor: Vendor,
        base_url: str,
        budget: Budget,
        *,
        auth: httpx.Auth | None = None,
        secrets: Sequence[SecretStr] = (),
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._vendor = vendor
        self._base_url = _checked_url(base_url, vendor)
        self._budget = budget
        self._secrets = tuple(secrets)
        self._patience = patience or Patience()
        self._clock = clock or Clock()
        self._client = httpx.Client(
            auth=auth,
            headers={"Accept": "application/json", "User-Agent": "slipway"},
            timeout=httpx.Timeout(self._patience.read_s, connect=self._patience.connect_s),
            limits=httpx.Limits(max_keepalive_connections=0),  # see Deadline
            follow_redirects=False,  # keys go to the address of the settings and nowhere else
        )

    def get(
        self,
        path: str,
        params: Params,
        shape: type[Shape],
        check: Callable[[Shape, Answer], None] = lambda told, answer: None,
    ) -> Shape:
        """What the vendor answers, in this shape; `check` may say TryAgain or why this answer will not do."""
        tried = 0
        while True:
            tried += 1
            try:
                answer = self._ask(path, params)
                told = _decoded(answer, shape)
                check(told, answer)
            except TryAgain as trouble:
                wait_s = self._wait_s(tried, trouble)
                if tried >= self._patience.tries or wait_s > self._patience.longest_wait_s:
                    raise self._given_up(path, tried, trouble) from trouble.__cause__
                log.warning(
                    "asking again", vendor=self._vendor.name, path=path, why=str(trouble), wait_s=wait_s
                )
                self._clock.sleep(wait_s)
            else:
                return told

    def _ask(self, path: str, params: Params) -> Answer:
        self._budget.take()
        with Deadline(self._patience.request_s) as deadline:
            try:
                with self._client.stream(
                    "GET",
                    self._base_url + path,
                    params={name: str(value) for name, value in params.items()},
                    extensions={"trace": deadline.trace},
                ) as response:
                    content = self._body(response)
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise TryAgain(self._too_slow if deadline.passed else self._trouble(error)) from error
        if deadline.passed:  # a body without a length just ends when its connection is cut
            raise TryAgain(self._too_slow)
        answer = Answer(self._base_url + path, response.status_code, response.headers, content)
        self._judge(answer)
        return answer

    def _body(self, response: httpx.Response) -> bytes:
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > _BODY_BYTES_MAX:
                raise Corrupt(
                    f"{self._vendor.name} sends more than {_BODY_BYTES_MAX:,} bytes for one page",
                    f"Check that {self._vendor.url_setting} is the vendor's address.",
                )
        return bytes(content)

    def _judge(self, answer: Answer) -> None:
        """Nothing for a success, and the right trouble for everything else."""
        if answer.status < 300:
            return
        if answer.status in _PASSING or answer.status >= 500:
            too_often = answer.status == _TOO_OFTEN
            raise TryAgain(
                "says that we ask too often"
                if too_often
                else f"has trouble of its own (HTTP {answer.status})",
                f"Lower {self._vendor.rate_setting}, or wait a few minutes." if too_often else None,
                wait_s=asked_wait_s(answer.headers, self._clock.now_s()),
            )
        if answer.status < 400:
            elsewhere = httpx.URL(answer.headers.get("location", "")).host or "another address"
            raise UsageError(
                f"{answer.url} sends us on to {elsewhere}, where our keys must not go",
                f"Set {self._vendor.url_setting} to the address that answers itself.",
            )
        raise self._vendor.refusal(self._without_secrets(answer))

    def _without_secrets(self, answer: Answer) -> Answer:
        content = answer.content
        for secret in self._secrets:
            content = content.replace(secret.get_secret_value().encode(), _HIDDEN)
        return Answer(answer.url, answer.status, answer.headers, content)

    def _wait_s(self, tried: int, trouble: TryAgain) -> float:
        """Twice as long with each try; by chance up to half less, so that many do not come back as one."""
        chance = self._clock.chance()
        if trouble.wait_s is not None:
            return trouble.wait_s + chance * self._patience.first_wait_s
        wait_s = self._patience.first_wait_s * 2.0 ** (tried - 1)
        return float(min(wait_s, self._patience.longest_wait_s) * (1 - chance / 2))

    def _given_up(self, path: str, tried: int, trouble: TryAgain) -> SlipwayError:
        asks = f"; it asks us to wait {trouble.wait_s:,.0f} s" if trouble.wait_s else ""
        times = "once" if tried == 1 else f"{tried} times"
        return trouble.error(
            f"{self._vendor.name} {trouble.reason} ({self._base_url}{path}, asked {times}{asks})",
            trouble.fix or f"Check the network and {self._vendor.url_setting}, or try again later.",
        )

    @property
    def _too_slow(self) -> str:
        return f"did not finish its answer within {self._patience.request_s:g} s"

    def _trouble(self, error: Exception) -> str:
        match error:
            case httpx.ConnectTimeout() | httpx.ConnectError():
                return "cannot be reached"
            case httpx.TimeoutException():
                return f"was silent for {self._patience.read_s:g} s"
            case httpx.DecodingError():
                return "sent an answer that cannot be unpacked"
            case httpx.ProxyError():
                return "cannot be reached through the proxy"
        return "broke off its answer"


def _decoded(answer: Answer, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TryAgain(
            f"answers with something else than what its documentation says: {error}",
            "Try again later; if it stays so, the vendor changed its format and Slipway must follow.",
            error=Corrupt,
        ) from error


def _checked_url(base_url: str, vendor: Vendor) -> str:
    """The address without what nobody should see in an error."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise UsageError(
            f"{vendor.url_setting} is not an address that can be asked",
            "Write it like https://host, without a name and a password in it.",
        )
    return str(url.copy_with(query=None, fragment=None)).rstrip("/")
