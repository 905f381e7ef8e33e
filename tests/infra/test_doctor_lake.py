"""Doctor on lakes: a folder, a real S3 API, and one that lies about If-None-Match."""

import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

import pytest

from data.settings import DataSettings
from infra.local.doctor import Finding, Severity
from infra.local.doctor.lake import examine_lake
from infra.local.site import Site

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "server", "date"}


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def make_bucket(endpoint: str) -> str:
    bucket = f"lake-{os.urandom(4).hex()}"
    request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
    return bucket


def keys_in(endpoint: str, bucket: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{endpoint}/{bucket}?list-type=2") as answer:
        return str(answer.read().decode())


def look(tmp_path: Path, lake_url: str, endpoint: str | None = None) -> Finding:
    """What doctor says last about this lake: of several findings the last is the verdict."""
    settings = {"state_dir": tmp_path, "lake_url": lake_url, "lake_s3_endpoint": endpoint}
    return list(examine_lake(Site(DataSettings.model_validate(settings))))[-1]


@contextmanager
def a_store(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def forgetful(endpoint: str) -> type[BaseHTTPRequestHandler]:
    """A store that takes every PUT: passes all on to a real one, but for the condition."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "if-none-match"}
            request = urllib.request.Request(endpoint + self.path, body or None, headers, method=self.command)
            try:
                answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
            except HTTPError as error:
                answer = error
            with answer:
                content = answer.read()
                self.send_response(answer.status or 500)
                for name, value in answer.headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_GET = do_POST = do_DELETE = do_HEAD = pass_on

        def log_message(self, *_: object) -> None: ...

    return Proxy


def refusing(status: int, code: str) -> type[BaseHTTPRequestHandler]:
    class Store(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = f"<Error><Code>{code}</Code></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_PUT

        def log_message(self, *_: object) -> None: ...

    return Store


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    lake = tmp_path / "the lake"
    lake.mkdir()
    found = look(tmp_path, lake.as_uri())
    assert found == Finding("lake", f"{lake.as_uri()} takes each key once")
    assert list(lake.iterdir()) == []


def test_a_lake_that_is_not_made_yet_is_no_problem(tmp_path: Path) -> None:
    assert look(tmp_path, "").found == f"{tmp_path / 'lake'} is made when something is stored"
    assert not (tmp_path / "lake").exists()


def test_a_folder_that_cannot_be_written_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = look(tmp_path, (tmp_path / "file" / "lake").as_uri())
    assert found.severity is Severity.PROBLEM
    assert "could not write" in found.found


@pytest.mark.full
@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_takes_each_key_once_is_well_and_left_empty(tmp_path: Path, s3_endpoint: str) -> None:
    bucket = make_bucket(s3_endpoint)
    found = look(tmp_path, f"s3://{bucket}/slipway", s3_endpoint)
    assert found == Finding("lake", f"s3://{bucket}/slipway takes each key once")
    assert "<Key>" not in keys_in(s3_endpoint, bucket)


@pytest.mark.full
@pytest.mark.usefixtures("credentials")
def test_a_store_that_ignores_if_none_match_is_no_lake(tmp_path: Path, s3_endpoint: str) -> None:
    bucket = make_bucket(s3_endpoint)
    with a_store(forgetful(s3_endpoint)) as endpoint:
        found = look(tmp_path, f"s3://{bucket}", endpoint)
    assert "overwrites what is there (it ignores If-None-Match)" in found.found
    assert found.fix.startswith("Do not use it as a lake: two writers would overwrite each other")
    assert "<Key>" not in keys_in(s3_endpoint, bucket)


@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_does_not_exist_is_told(tmp_path: Path, s3_endpoint: str) -> None:
    found = look(tmp_path, "s3://no-such-bucket", s3_endpoint)
    assert "does not exist" in found.found
    assert "Create it" in found.fix


@pytest.mark.full
@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("status", "code", "says", "fix"),
    [
        (403, "AccessDenied", "denies access", "policy"),
        (301, "PermanentRedirect", "is in another region", "AWS_REGION"),
    ],
)
def test_a_bucket_that_says_no_is_told(tmp_path: Path, status: int, code: str, says: str, fix: str) -> None:
    with a_store(refusing(status, code)) as endpoint:
        found = look(tmp_path, "s3://lake", endpoint)
    assert says in found.found
    assert fix in found.fix


@pytest.mark.usefixtures("credentials")
def test_an_endpoint_where_nobody_listens_is_told(tmp_path: Path) -> None:
    found = look(tmp_path, "s3://lake", "http://127.0.0.1:1")
    assert "the lake's endpoint at 127.0.0.1:1 refuses connections" in found.found
    assert "SLIPWAY_LAKE_S3_ENDPOINT" in found.fix
    assert "is no address" in look(tmp_path, "s3://lake", "127.0.0.1:1").found


def test_half_of_the_credentials_is_none(
    tmp_path: Path, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = look(tmp_path, "s3://lake", "http://127.0.0.1:1")
    assert found.found == "of the credentials only AWS_ACCESS_KEY_ID is set"


def test_an_unknown_kind_of_lake_is_named(tmp_path: Path) -> None:
    assert "neither file:// nor s3://" in look(tmp_path, "ftp://somewhere").found
