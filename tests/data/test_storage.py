"""One contract for every place the lake may be, run against a folder and an S3 server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data import lake
from data.bar import BAR_SCHEMA
from data.calendars import sessions
from data.errors import Corrupt, Unavailable, UsageError
from data.settings import DataSettings
from data.sources.synthetic import SyntheticMarket
from data.storage import Folder, Storage, lake_storage


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "folder":
        return Folder(tmp_path / "a lake")
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    endpoint = request.getfixturevalue("s3_endpoint")
    bucket = f"lake-{os.urandom(4).hex()}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=bucket)
    return lake_storage(DataSettings(lake_url=f"s3://{bucket}/slipway", lake_s3_endpoint=endpoint))


def test_what_is_put_is_what_is_got(storage: Storage) -> None:
    assert storage.put_new("bars/x/1.parquet", b"one")
    assert storage.get("bars/x/1.parquet") == b"one"
    assert storage.keys("bars") == ["bars/x/1.parquet"]


def test_nothing_is_ever_overwritten(storage: Storage) -> None:
    assert storage.put_new("key", b"first")
    assert not storage.put_new("key", b"second")
    assert storage.get("key") == b"first"


def test_a_missing_object_is_an_error_that_names_it(storage: Storage) -> None:
    with pytest.raises(Corrupt, match="nowhere"):
        storage.get("nowhere")


def test_a_partition_round_trips_and_a_changed_byte_is_refused(storage: Storage) -> None:
    day = sessions(SyntheticMarket().listed_since("AAA"), SyntheticMarket().listed_since("AAA"))[0]
    bars = SyntheticMarket().history(["AAA"], day, "1m")
    revision, stored = lake.write(storage, "bars/synthetic/1m", "AAA", day.day, 1, bars)
    assert (revision, stored.path) == (1, "bars/synthetic/1m/AAA/2015/01/02-1.parquet")
    assert lake.read(storage, stored.path, stored.sha256, BAR_SCHEMA).equals(bars)
    with pytest.raises(Corrupt, match="checksum"):
        lake.read(storage, stored.path, "0" * 64, BAR_SCHEMA)


def test_an_orphan_with_other_bytes_is_gone_round_and_one_with_the_same_is_taken_over(
    storage: Storage,
) -> None:
    day = sessions(SyntheticMarket().listed_since("AAA"), SyntheticMarket().listed_since("AAA"))[0]
    bars = SyntheticMarket().history(["AAA"], day, "1m")
    dataset = "bars/synthetic/1m"
    storage.put_new(lake.partition_key(dataset, "AAA", day.day, 1), b"half a crash")
    assert lake.write(storage, dataset, "AAA", day.day, 1, bars)[0] == 2
    assert lake.write(storage, dataset, "AAA", day.day, 1, bars)[0] == 2


def test_a_flipped_byte_anywhere_in_a_file_is_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    day = sessions(SyntheticMarket().listed_since("AAA"), SyntheticMarket().listed_since("AAA"))[0]
    _, stored = lake.write(folder, "d", "AAA", day.day, 1, SyntheticMarket().history(["AAA"], day, "1m"))
    path = tmp_path / stored.path
    content = path.read_bytes()
    for at in range(0, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(Corrupt):
            lake.read(folder, stored.path, stored.sha256, BAR_SCHEMA)


def test_a_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="outside the lake"):
        Folder(tmp_path / "lake").put_new("../escaped", b"x")


def test_a_bucket_that_does_not_answer_says_so() -> None:
    gone = DataSettings(lake_url="s3://lake", lake_s3_endpoint="http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="did not answer"):
        lake_storage(gone).get("anything")


def test_an_unknown_kind_of_lake_is_named() -> None:
    with pytest.raises(UsageError, match="neither file:// nor s3://"):
        lake_storage(DataSettings(lake_url="ftp://somewhere"))
