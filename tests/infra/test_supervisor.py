"""The local system keeps its promises: one supervisor, nothing lost, nothing left over. Real servers."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from data.errors import SlipwayError, UsageError
from data.settings import get_settings, services
from infra.local.control import Control
from infra.local.launch import bring_up, reset, take_down
from infra.local.orphans import left_over
from infra.local.processes import ProcessId, wait_for
from infra.local.site import Site
from infra.local.tenure import holder

pytestmark = pytest.mark.full
SERVERS = ("postgres", "valkey")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site in a folder with spaces; what a test leaves running is ended."""
    monkeypatch.setenv("SLIPWAY_STATE_DIR", str(tmp_path / "the state folder"))
    get_settings.cache_clear()
    site = Site()
    yield site
    take_down(site)


def pids(control: Control) -> dict[str, int]:
    return {each["name"]: each["pid"] for each in control.status() if each["pid"]}


def wait_for_another_life(control: Control, name: str, old_pid: int) -> None:
    def lives_again() -> bool:
        service = control.service(name)
        return bool(service["state"] == "ready" and service["pid"] != old_pid)

    assert wait_for(lives_again, within_s=30)


def test_a_second_up_changes_nothing(site: Site) -> None:
    first = pids(bring_up(site, SERVERS))
    assert set(first) == set(SERVERS)
    assert pids(bring_up(site, SERVERS)) == first


def test_what_runs_is_known_to_every_room_and_migrated(site: Site) -> None:
    bring_up(site, SERVERS)
    published = site.run_dir / "services.json"
    assert published.stat().st_mode & 0o077 == 0
    with psycopg.connect(get_settings().postgres()) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    assert get_settings().redis() == json.loads(published.read_text())["redis_url"]


def test_a_killed_service_is_started_again_at_the_same_address(site: Site) -> None:
    control = bring_up(site, SERVERS)
    before, addresses = pids(control), services(site.state_dir)
    for name in SERVERS:
        os.kill(before[name], signal.SIGKILL)
    for name in SERVERS:
        wait_for_another_life(control, name, before[name])
        assert control.service(name)["restarts"] >= 1
    assert services(site.state_dir) == addresses


def test_down_leaves_no_process_and_no_address(site: Site) -> None:
    before = [ProcessId.of(pid) for pid in pids(bring_up(site, SERVERS)).values()]
    supervisor = holder(site)
    assert take_down(site)
    assert not any(process.is_alive() for process in [*before, supervisor] if process)
    assert not left_over(site)
    assert services(site.state_dir) == {}
    assert not take_down(site)


def test_after_kill_9_of_the_supervisor_the_next_up_ends_the_orphans(site: Site) -> None:
    control = bring_up(site, SERVERS)
    with psycopg.connect(site.database_url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept ()")
    orphans = [ProcessId.of(pid) for pid in pids(control).values()]
    kill_supervisor(site)
    assert all(orphan and orphan.is_alive() for orphan in orphans)
    bring_up(site, SERVERS)
    assert not any(orphan and orphan.is_alive() for orphan in orphans)
    with psycopg.connect(site.database_url()) as connection:
        connection.execute("TABLE kept")


def test_after_kill_9_of_the_supervisor_down_ends_the_orphans(site: Site) -> None:
    orphans = [ProcessId.of(pid) for pid in pids(bring_up(site, SERVERS)).values()]
    kill_supervisor(site)
    assert take_down(site)
    assert not any(orphan and orphan.is_alive() for orphan in orphans)
    assert services(site.state_dir) == {}


def kill_supervisor(site: Site) -> None:
    supervisor = holder(site)
    assert supervisor
    os.kill(supervisor.pid, signal.SIGKILL)
    assert wait_for(lambda: not supervisor.is_alive(), within_s=5)


def test_two_checkouts_run_side_by_side(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up(site, ["valkey"])
    long_path = (
        tmp_path / "somewhere" / "so deep that the kernel takes no socket path from here" / "of that length"
    )
    monkeypatch.setenv("SLIPWAY_STATE_DIR", str(long_path))
    other = Site()
    try:
        bring_up(other, ["valkey"])
        assert site.port("valkey") != other.port("valkey")
        take_down(site)
        assert Control(other).service("valkey")["state"] == "ready"
    finally:
        reset(other)
    assert not other.sockets.exists()


def test_a_chosen_port_that_is_taken_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other_program:
        other_program.bind(("127.0.0.1", 0))
        other_program.listen()
        port = other_program.getsockname()[1]
        monkeypatch.setenv("SLIPWAY_INFRA_VALKEY_PORT", str(port))
        with pytest.raises(SlipwayError, match=f"port {port} for valkey is taken by another program"):
            bring_up(site, ["valkey"])


def test_a_remembered_port_that_is_taken_is_given_up(site: Site) -> None:
    bring_up(site, ["valkey"])
    take_down(site)
    remembered = site.port("valkey")
    with socket.socket() as other_program:
        other_program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other_program.bind(("127.0.0.1", remembered))
        other_program.listen()
        assert bring_up(site, ["valkey"]).service("valkey")["port"] == site.port("valkey") != remembered


def test_an_unknown_service_is_the_persons_mistake(site: Site) -> None:
    with pytest.raises(UsageError, match="there is no local service 'mysql'"):
        bring_up(site, ["mysql"])
    assert not holder(site)


def test_a_persons_own_server_is_used_and_not_started(
    site: Site, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_STATE_DIR", str(site.state_dir))
    own = Site()
    rows = {each["name"]: each for each in bring_up(own, [*SERVERS, "exchange"]).status()}
    for name, url in zip(SERVERS, (database_url, redis_url), strict=True):
        assert (rows[name]["kind"], rows[name]["state"], rows[name]["pid"]) == ("external", "ready", None)
        assert rows[name]["where"] == f"127.0.0.1:{urlsplit(url).port}"
    assert rows["exchange"]["kind"] == "process"
    assert own.environment()["SLIPWAY_DATABASE_URL"] == database_url


def test_reset_forgets_everything_but_never_a_folder_that_is_not_ours(site: Site, tmp_path: Path) -> None:
    bring_up(site, ["valkey"])
    reset(site)
    assert [entry.name for entry in site.state_dir.iterdir()] == ["slipway-state"]
    site.marker.unlink()
    (site.state_dir / "thesis.tex").touch()
    with pytest.raises(SlipwayError, match="holds files that Slipway did not make"):
        reset(site)
    assert (site.state_dir / "thesis.tex").exists()
