"""One contract for every place the lake may be, run against a folder and two S3 servers."""

import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from buckets import new_bucket
from crowd import at_once
from vendors import correcting

import data
from data import lake, query
from data.calendars import sessions
from data.compact import compact
from data.errors import Corrupt, Unavailable, UsageError
from data.ingest import ingest
from data.inspection import inspect
from data.pieces import read_pieces
from data.settings import DataSettings
from data.sources.synthetic import LISTED, SyntheticMarket
from data.storage import STAGED_PREFIX, Folder, Storage, lake_storage

DATASET = "bars/synthetic/1m"


@pytest.fixture
def storage(lake_url: str) -> Storage:
    return lake_storage()


def first_session() -> pl.DataFrame:
    session = sessions(LISTED, LISTED)[0]
    return SyntheticMarket().history(["AAA"], session.open_utc, session.close_utc, "1m")


def written(storage: Storage) -> lake.Stored:
    return lake.write(storage, DATASET, "AAA", lake.day_of(LISTED), first_session(), sessions=1)


def read(storage: Storage, stored: lake.Stored) -> pl.DataFrame:
    content = lake.verified(storage, stored.path, stored.sha256, stored.blake3)
    return lake.decode(content, stored.path, "AAA")


def test_what_is_put_is_what_is_got(storage: Storage) -> None:
    assert storage.put_new("bars/x/1.parquet", b"one")
    assert storage.get("bars/x/1.parquet") == b"one"
    assert storage.keys("bars") == ["bars/x/1.parquet"]
    assert storage.staged("bars") == []
    assert storage.age_s("bars/x/1.parquet") < 3600


def test_nothing_is_ever_overwritten(storage: Storage) -> None:
    assert storage.put_new("key", b"first")
    assert not storage.put_new("key", b"second")
    assert storage.get("key") == b"first"


def test_of_many_writers_of_one_key_exactly_one_wins(storage: Storage) -> None:
    won: list[int] = []

    def write(number: int) -> None:
        if storage.put_new("contested", str(number).encode()):
            won.append(number)

    assert at_once(*(partial(write, number) for number in range(8))) == []
    assert [storage.get("contested")] == [str(number).encode() for number in won]


def test_a_missing_object_is_an_error_that_names_it(storage: Storage) -> None:
    with pytest.raises(Corrupt, match="nowhere"):
        storage.get("nowhere")


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(storage: Storage) -> None:
    storage.put_new("probe", b"x")
    storage.delete("probe")
    storage.delete("probe")
    assert storage.keys("") == []


def test_a_symbol_with_a_slash_stays_one_folder(storage: Storage) -> None:
    stored = lake.write(storage, DATASET, "BTX/USD", "2026", first_session(), sessions=1)
    assert stored.path == f"{DATASET}/BTX%2FUSD/2026-1.parquet"
    assert storage.keys(DATASET) == [stored.path]
    assert read(storage, stored).height == 390


def test_a_session_round_trips_and_a_changed_byte_is_refused(storage: Storage) -> None:
    stored = written(storage)
    assert stored.path == f"{DATASET}/AAA/2015/01/02-1.parquet"
    assert read(storage, stored).equals(first_session())
    for wrong in ((stored.sha256, "0" * 64), ("0" * 64, None)):
        with pytest.raises(Corrupt, match="checksum"):
            lake.verified(storage, stored.path, *wrong)


def test_a_file_catalogued_before_blake3_is_checked_by_its_sha256(storage: Storage) -> None:
    stored = written(storage)
    assert lake.verified(storage, stored.path, stored.sha256, None) == storage.get(stored.path)


def test_an_orphan_with_other_bytes_is_gone_round_and_one_with_the_same_is_taken_over(
    storage: Storage,
) -> None:
    storage.put_new(lake.file_key(DATASET, "AAA", lake.day_of(LISTED), 1), b"half a crash")
    assert written(storage).path.endswith("02-2.parquet")
    assert written(storage).path.endswith("02-2.parquet")


@pytest.mark.full
@pytest.mark.usefixtures("database_url")
def test_the_whole_way_of_bars_is_the_same_everywhere(storage: Storage) -> None:
    first, last = date(2026, 8, 3), date(2026, 9, 30)
    assert ingest(SyntheticMarket(), ["AAA", "BBB"], first, last).published == 84
    ingest(correcting(last), ["AAA"], last, last)
    bars = data.bars(["AAA", "BBB"])
    assert bars.height == 84 * 390
    assert data.scan(["AAA", "BBB"]).collect().equals(bars)
    names = read_pieces(storage, query.find(["AAA", "BBB"]), ["symbol"])
    assert names.equals(bars.select("symbol"))
    assert data.sql("select count(*) as n, sum(volume) as v from bars").row(0) == (
        bars.height,
        bars["volume"].sum(),
    )
    assert [each.files_before for each in compact(DATASET)] == [2]
    assert data.bars(["AAA", "BBB"]).equals(bars)
    assert inspect(deep=True) == []
    assert ingest(correcting(last), ["AAA", "BBB"], first, last).published == 0


def test_a_flipped_byte_anywhere_in_a_file_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    stored = written(folder)
    path = tmp_path / stored.path
    content = path.read_bytes()
    for at in range(0, len(content), 61):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(Corrupt):
            read(folder, stored)


def test_pages_carry_checksums_of_their_own_that_reading_verifies(tmp_path: Path) -> None:
    """Whoever reads the file without the catalog is warned too, and so are we behind a wrong catalog."""
    content = bytearray(lake.encode(first_session(), "AAA"))
    refused = 0
    for at in range(200, len(content) - 2_000, 97):  # in the pages, before the footer
        content[at] ^= 1
        try:
            lake.decode(bytes(content), "a file", "AAA")
        except Corrupt:
            refused += 1
        content[at] ^= 1
    # The headers between pages have no checksum, which is why a read relies on the hash of the whole file.
    assert refused > 0.9 * len(range(200, len(content) - 2_000, 97))


def test_the_same_rows_are_the_same_bytes_and_plain_parquet_for_others(tmp_path: Path) -> None:
    content = lake.encode(first_session(), "AAA")
    assert content == lake.encode(first_session().clone(), "AAA")
    assert pl.read_parquet(content).equals(first_session())


def test_a_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="outside the lake"):
        Folder(tmp_path / "lake").put_new("../escaped", b"x")


def test_what_a_killed_writer_left_is_no_object_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    (tmp_path / f"bars/{STAGED_PREFIX}x").write_bytes(b"half")
    assert Folder(tmp_path).keys("bars") == []
    assert Folder(tmp_path).staged("bars") == [f"bars/{STAGED_PREFIX}x"]


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    with pytest.raises(Unavailable, match=r"could not write .*x.parquet: File exists.*`./slipway doctor`"):
        Folder(tmp_path).put_new("file/x.parquet", b"x")


@pytest.mark.full
def test_a_bucket_that_does_not_answer_says_so(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new_bucket(moto, monkeypatch)
    gone = DataSettings(lake_url="s3://lake", lake_s3_endpoint="http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="did not answer"):
        lake_storage(gone).get("anything")


@pytest.mark.full
@pytest.mark.parametrize("server", ["moto", "ministack"])
def test_a_bucket_that_does_not_exist_says_so(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = request.getfixturevalue(server)
    new_bucket(endpoint, monkeypatch)
    nowhere = lake_storage(DataSettings(lake_url="s3://no-such-bucket/lake", lake_s3_endpoint=endpoint))
    for ask in (
        lambda: nowhere.put_new("key", b"x"),
        lambda: nowhere.get("key"),
        lambda: nowhere.keys("bars"),
    ):
        with pytest.raises(Unavailable, match=r"bucket .* does not exist.*SLIPWAY_LAKE_URL"):
            ask()


class Denying(BaseHTTPRequestHandler):
    """S3's answer to somebody who may not."""

    def answer(self) -> None:
        body = (
            b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        )
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = answer

    def log_message(self, *words: object) -> None:
        """Not on the terminal of the tests."""


@pytest.fixture
def denying() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Denying) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.full
def test_a_bucket_that_denies_access_says_so(
    denying: str, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_bucket(moto, monkeypatch)
    theirs = lake_storage(DataSettings(lake_url="s3://theirs/lake", lake_s3_endpoint=denying))
    for ask in (lambda: theirs.put_new("key", b"x"), lambda: theirs.get("key"), lambda: theirs.keys("bars")):
        with pytest.raises(Unavailable, match=r"denies access.*AWS_ACCESS_KEY_ID"):
            ask()


def test_an_unknown_kind_of_lake_is_named() -> None:
    with pytest.raises(UsageError, match="neither file:// nor s3://"):
        lake_storage(DataSettings(lake_url="ftp://somewhere"))
