"""What may befall the local system at any moment: kills, freezes, a loss of power. Real servers, real signals."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from data.settings import DataSettings, get_settings, services
from infra.local.control import Control
from infra.local.launch import bring_up, take_down
from infra.local.orphans import left_over, orphans
from infra.local.overview import overview
from infra.local.postgres import Cluster
from infra.local.processes import ProcessId, wait_for, working_in
from infra.local.site import Site
from infra.local.tenure import holder

pytestmark = pytest.mark.full
SERVERS = ("postgres", "valkey")
DOWN_WITHIN_S = 10.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("SLIPWAY_STATE_DIR", str(tmp_path / "state"))
    get_settings.cache_clear()
    site = Site()
    yield site
    take_down(site)


def supervisor_of(site: Site) -> ProcessId:
    supervisor = holder(site)
    assert supervisor is not None
    return supervisor


def kill(*processes: ProcessId) -> None:
    for process in processes:
        process.send(signal.SIGKILL)
    assert wait_for(lambda: not any(process.is_alive() for process in processes), within_s=5)


def cluster_of(site: Site) -> Cluster:
    assert site.postgres is not None
    return site.postgres


def add_kept_table(site: Site) -> None:
    with psycopg.connect(site.database_url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept ()")


def assert_kept(site: Site) -> None:
    with psycopg.connect(site.database_url()) as connection:
        connection.execute("TABLE kept")


@contextmanager
def busy_client(site: Site) -> Iterator[None]:
    """Somebody whose query computes for a minute, and looks up only when it is done."""
    with psycopg.connect(site.database_url(), autocommit=True) as connection:

        def compute() -> None:
            try:
                connection.execute("SELECT count(*) FROM generate_series(1, 300000000)")
            except psycopg.Error:
                return

        thread = threading.Thread(target=compute)
        thread.start()
        with psycopg.connect(site.database_url(), autocommit=True) as looking:
            busy = (
                "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series(1%'"
            )
            assert wait_for(lambda: len(looking.execute(busy).fetchall()) > 1, within_s=5)
        yield
        thread.join()


def test_a_killed_postgres_comes_back_though_a_clients_query_still_computes(site: Site) -> None:
    control = bring_up(site, ["postgres"])
    with busy_client(site):
        killed_at = time.monotonic()
        kill(orphans(site)["postgres"])
        assert wait_for(lambda: control.service("postgres")["restarts"] > 0, within_s=10)
        assert wait_for(lambda: bool(control.service("postgres")["state"] == "ready"), within_s=15)
        assert time.monotonic() - killed_at < 15
    assert control.service("postgres")["restarts"] == 1  # at the first try


def test_after_kill_9_of_everything_the_next_up_has_all_that_was_stored(site: Site) -> None:
    bring_up(site, SERVERS)
    add_kept_table(site)
    kill(supervisor_of(site), *orphans(site).values())
    assert set(SERVERS) <= {each["name"] for each in bring_up(site, SERVERS).status() if each["pid"]}
    assert_kept(site)


def test_a_frozen_supervisor_does_not_keep_down_from_ending_everything(site: Site) -> None:
    bring_up(site, SERVERS)
    running = list(orphans(site).values())
    supervisor_of(site).send(signal.SIGSTOP)
    started = time.monotonic()
    assert take_down(site)
    assert time.monotonic() - started < DOWN_WITHIN_S
    assert not any(process.is_alive() for process in running)
    assert not left_over(site)


def test_down_ends_within_ten_seconds_with_busy_clients_and_frozen_servers(site: Site) -> None:
    bring_up(site, SERVERS)
    running = orphans(site)
    with busy_client(site):
        running["valkey"].send(signal.SIGSTOP)
        started = time.monotonic()
        assert set(take_down(site)) == set(SERVERS)
        assert time.monotonic() - started < DOWN_WITHIN_S
    assert not any(process.is_alive() for process in running.values())
    assert not any(working_in(cluster_of(site).data))


def test_services_whose_pid_files_are_lost_are_found_all_the_same(site: Site) -> None:
    bring_up(site, SERVERS)
    running = list(orphans(site).values())
    kill(supervisor_of(site))
    for file in (site.run_dir / "pids").glob("*.json"):
        file.write_text('{"pid": ')
    assert take_down(site)
    assert not any(process.is_alive() for process in running)


def test_what_runs_on_without_its_supervisor_is_told(site: Site) -> None:
    bring_up(site, ["valkey"])
    kill(supervisor_of(site))
    (row,) = overview(site)
    assert (row["name"], row["state"], row["kind"], row["failed"]) == ("valkey", "orphaned", "embedded", True)
    assert row["fix"] == "Run `./slipway up`: it ends and replaces it."


def test_up_after_a_loss_of_power_finds_torn_files_and_pids_of_strangers(site: Site) -> None:
    bring_up(site, SERVERS)
    add_kept_table(site)
    kill(supervisor_of(site), *orphans(site).values())
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        reused = ProcessId.of(stranger.pid)
        assert reused is not None
        same_pid = {"pid": stranger.pid, "start_ticks": reused.start_ticks, "boot": "of yesterday"}
        (site.run_dir / "pids" / "valkey.json").write_text(json.dumps(same_pid))
        (site.run_dir / "pids" / "postgres.json").write_text("")
        (site.run_dir / "supervisor.json").write_text(json.dumps(same_pid | {"start_ticks": 1}))
        for name in ("services", "ports", "failure"):
            (site.run_dir / f"{name}.json").write_text('{"postgr')
        cluster = cluster_of(site)
        for lock in (cluster.data / "postmaster.pid", *cluster.sockets.glob(".s.PGSQL.*.lock")):
            words = lock.read_text().splitlines()
            lock.write_text("\n".join([str(stranger.pid), *words[1:]]) + "\n")
        bring_up(site, SERVERS)
        assert_kept(site)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_up_that_meets_a_down_waits_for_its_end_and_starts_anew(site: Site) -> None:
    bring_up(site, SERVERS)
    first = supervisor_of(site)
    Control(site).shutdown()
    bring_up(site, SERVERS)
    assert supervisor_of(site) != first
    assert {each["name"] for each in Control(site).status() if each["state"] == "ready"} >= set(SERVERS)


def test_two_checkouts_that_start_at_the_same_moment_get_ports_of_their_own(tmp_path: Path) -> None:
    sites = [Site(DataSettings(state_dir=tmp_path / name)) for name in ("one", "other")]
    starting = [threading.Thread(target=bring_up, args=(site, SERVERS)) for site in sites]
    try:
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        published = [services(site.state_dir) for site in sites]
        for url in ("database_url", "redis_url"):
            assert published[0][url] != published[1][url]
        with psycopg.connect(published[0]["database_url"], autocommit=True) as connection:
            connection.execute("CREATE TABLE mine ()")
        with psycopg.connect(published[1]["database_url"]) as connection:
            assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)
    finally:
        for site in sites:
            take_down(site)
    assert not any(left_over(site) for site in sites)


def test_down_does_not_touch_what_others_run(site: Site) -> None:
    """Only what bears this folder's mark: not the same programs of another folder, nor of the person."""
    environment = {**os.environ, "SLIPWAY_SUPERVISED": f"{site.state_dir}-of-another"}
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=environment)
    try:
        bring_up(site, ["valkey"])
        take_down(site)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
