"""Lakes: a folder, and buckets of two S3 servers that have nothing in common but the protocol."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from buckets import CREDENTIALS, new_bucket

from data.settings import get_settings
from infra.local.addresses import free_port
from infra.local.processes import wait_for
from infra.local.services import answers


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    folder = tmp_path_factory.mktemp("ministack")
    environment = (
        os.environ
        | CREDENTIALS
        | {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / "s3"),
            "TMPDIR": str(folder),
        }
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    assert wait_for(lambda: answers(url, even_unwell=True) or server.poll() is not None, 60.0)
    assert server.poll() is None, (folder / "log").read_text()
    yield url
    server.terminate()
    server.wait(10)


BUCKETS = [pytest.param(server, marks=pytest.mark.full) for server in ("moto", "ministack")]


@pytest.fixture(params=["folder", *BUCKETS])
def lake_url(
    request: pytest.FixtureRequest, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """An empty lake, also as SLIPWAY_LAKE_URL."""
    if request.param == "folder":
        url = (tmp_path / "a lake").as_uri()
    else:
        url = new_bucket(request.getfixturevalue(request.param), monkeypatch)
    monkeypatch.setenv("SLIPWAY_LAKE_URL", url)
    get_settings.cache_clear()
    return url
