"""An unreachable server is told in a sentence that names the way it failed, and never a password."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from data.errors import SlipwayError, UsageError
from infra.local import reach
from infra.local.bounded import side_by_side

SECRET = "s3cret/with@signs"
VARIABLE = "SLIPWAY_SOME_URL"


def trouble(ask: Callable[[str, str], object], url: str) -> SlipwayError:
    with pytest.raises(SlipwayError) as caught:
        ask(url, VARIABLE)
    assert SECRET not in str(caught.value)
    return caught.value


@contextmanager
def a_listener(*, answers: bytes | None) -> Iterator[int]:
    """A port where somebody takes connections; says `answers` at once, or nothing ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                if answers is not None:
                    connection.sendall(answers)
                    connection.close()

        thread = threading.Thread(target=greet, daemon=True)
        if answers is not None:
            thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username or ''}:{password}@{parts.hostname}:{parts.port}").geturl()


def test_servers_that_answer_are_no_trouble(database_url: str, redis_url: str) -> None:
    reach.database_answers(database_url, VARIABLE)
    reach.redis_answers(redis_url, VARIABLE)


@pytest.mark.parametrize(
    ("ask", "scheme"),
    [
        (reach.database_answers, "postgresql"),
        (reach.redis_answers, "redis"),
        (reach.exchange_answers, "http"),
    ],
)
def test_each_way_to_be_unreachable_has_its_own_sentence(
    ask: Callable[[str, str], object], scheme: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        refused = trouble(ask, f"{scheme}://user:s3cret@127.0.0.1:{port}/x")
    assert f"at 127.0.0.1:{port} refuses connections" in refused.what
    assert VARIABLE in refused.fix
    nowhere = trouble(ask, f"{scheme}://user:s3cret@no-such-host.invalid/x")
    assert "'no-such-host.invalid' cannot be resolved" in nowhere.what
    for odd in (
        f"mysql://user:{SECRET}@h/x",
        f"{scheme}://user:{SECRET}@h/x",
        f"{scheme}://h:port/x",
        SECRET,
    ):
        error = trouble(ask, odd)
        assert isinstance(error, UsageError)
        assert error.what == f"{VARIABLE} is not the address of a server of its kind"
        assert scheme in error.fix


def test_a_wrong_password_is_told_from_a_wrong_name(database_url: str, redis_url: str) -> None:
    wrong = trouble(reach.database_answers, with_password(database_url, "s3cret"))
    assert "does not take this user and password" in wrong.what
    unknown = trouble(reach.database_answers, database_url.rpartition("/")[0] + "/nosuch")
    assert 'database "nosuch" does not exist' in unknown.what
    assert "Create it" in unknown.fix
    wrong = trouble(reach.redis_answers, with_password(redis_url, "s3cret"))
    assert "does not take this password" in wrong.what


@pytest.mark.full  # libpq waits two seconds at least
def test_what_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "TIMEOUT_S", 1)
    with a_listener(answers=None) as port:
        assert "is silent" in trouble(reach.database_answers, f"postgresql://127.0.0.1:{port}/x").what
        assert "is silent" in trouble(reach.redis_answers, f"redis://127.0.0.1:{port}").what
        assert "is silent" in trouble(reach.exchange_answers, f"http://127.0.0.1:{port}").what


@pytest.mark.full
def test_another_program_is_not_taken_for_an_exchange() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        error = trouble(reach.exchange_answers, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "is no exchange of Slipway (HTTP 404 at /health)" in error.what


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://user:s3cret@db.example.com/name", "db.example.com:5432"),
        ("redis://:s3cret@127.0.0.1:7000/0", "127.0.0.1:7000"),
        ("http://exchange", "exchange:80"),
        (f"postgresql://user:{SECRET}@h/x", "an unreadable address"),
        ("postgresql://user:123/45@h/x", "an unreadable address"),
        ("s3cret", "an unreadable address"),
    ],
)
def test_a_place_is_host_and_port_and_nothing_else(url: str, place: str) -> None:
    assert reach.where(url) == place


@pytest.mark.full
def test_questions_are_asked_side_by_side_and_not_for_longer_than_promised() -> None:
    never = threading.Event()
    questions: dict[str, Callable[[], object]] = {
        "quick": lambda: 1,
        "broken": lambda: 1 / 0,
        "silent": lambda: never.wait(5),
    }
    answers = dict(side_by_side(questions, within_s=0.2))
    never.set()
    assert answers["quick"] == 1
    assert isinstance(answers["broken"], ZeroDivisionError)
    assert isinstance(answers["silent"], TimeoutError)
