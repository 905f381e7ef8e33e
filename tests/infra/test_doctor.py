"""`slipway doctor`: each finding is true, says how bad it is, and has one fix."""

import ctypes
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from data.settings import DataSettings
from data.signing import signing_key
from infra.local.doctor import Finding, Severity, examination, examine
from infra.local.doctor.folders import disk, owner_and_mode, ports, secrets
from infra.local.doctor.keys import production, signing
from infra.local.doctor.machine import clock, memory, packages, synchronisation, time_zones
from infra.local.doctor.servers import clocks_apart, examine_database, of_redis, of_services, schema
from infra.local.kept import Kind, State, row
from infra.local.site import Site

PROBLEM, NOTE, OK = Severity.PROBLEM, Severity.NOTE, Severity.OK


def problems(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings if finding.severity is PROBLEM}


def test_a_system_that_is_down_has_one_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "infra.local.doctor.machine.packages", lambda *_: Finding("packages", "")
    )  # not ours here
    assert [each.fix for each in problems(examine(Site())).values()] == ["Start it with `./slipway up`."]


def test_a_check_that_breaks_or_hangs_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Site) -> Iterator[Finding]:
        raise ZeroDivisionError("unforeseen")

    def hangs(_: Site) -> Iterator[Finding]:
        import time

        time.sleep(0.5)
        yield Finding("never", "seen")

    monkeypatch.setattr(examination, "WITHIN_S", 0.1)
    monkeypatch.setattr(examination, "AT_ONCE", {"one": breaks})
    monkeypatch.setattr(
        examination, "MAY_WAIT", {"two": hangs, "three": lambda _: iter([Finding("three", "")])}
    )
    found = {each.what: each for each in examine(Site())}
    assert "ZeroDivisionError: unforeseen" in found["one"].found
    assert "did not answer" in found["two"].found
    assert found["three"].severity is OK


def test_doctor_is_quick_though_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE", "REDIS", "EXCHANGE"):
        scheme = {"DATABASE": "postgresql", "REDIS": "redis", "EXCHANGE": "http"}[name]
        monkeypatch.setenv(f"SLIPWAY_{name}_URL", f"{scheme}://u:s3cret@no-such-host.invalid/x")
    started = datetime.now(UTC)
    found = problems(examine(Site()))
    assert datetime.now(UTC) - started < timedelta(seconds=6)
    for what in ("database", "redis", "exchange"):
        assert "'no-such-host.invalid' cannot be resolved" in found[what].found
    assert "s3cret" not in str(found)


# the machine


def test_packages_of_another_lock_are_a_problem(tmp_path: Path) -> None:
    lock, stamp = tmp_path / "lock.txt", tmp_path / "stamp"
    lock.write_text("numpy==1")
    assert packages(lock, stamp).severity is NOTE
    stamp.write_text(hashlib.sha256(b"numpy==1").hexdigest() + "  -\n")
    assert packages(lock, stamp).severity is OK
    lock.write_text("numpy==2")
    assert packages(lock, stamp).severity is PROBLEM


def test_a_clock_in_the_past_is_a_problem_and_no_time_server_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock(datetime(1970, 1, 1, tzinfo=UTC)).severity is PROBLEM
    assert clock(datetime.now(UTC)).severity is OK
    assert synchronisation().severity in (OK, NOTE)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())  # a C library without adjtimex
    assert synchronisation().found == "this C library cannot tell"


def test_a_time_zone_that_is_none_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Mars/Olympus")
    assert time_zones().severity is NOTE
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert time_zones().severity is OK


def test_memory_is_what_the_container_gives(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    assert memory(meminfo, tmp_path).found == "8.2 GB available"
    for name, text in (
        ("max", "2000000000"),
        ("current", "1900000000"),
        ("stat", "inactive_file 400000000\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    small = memory(meminfo, tmp_path)
    assert (small.severity, small.found) == (NOTE, "0.5 GB available")


# the state folder


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("SLIPWAY_STATE_DIR", str(tmp_path / "a file" / "state"))
    assert "cannot be written: Not a directory" in problems(examine(Site()))["state folder"].found


def test_who_may_write_to_the_state_folder(tmp_path: Path) -> None:
    for mode, severity in ((0o755, OK), (0o775, NOTE), (0o777, PROBLEM)):
        tmp_path.chmod(mode)
        assert owner_and_mode(tmp_path).severity is severity
    if os.geteuid() == 0:
        os.chown(tmp_path, 65534, 65534)
        assert "chown -R root" in owner_and_mode(tmp_path).fix
        os.chown(tmp_path, 0, 0)


def test_a_secret_that_others_may_read_has_its_chmod(state_dir: Path) -> None:
    site = Site()
    site.make_folders()
    assert site.lab_token
    assert secrets(site).severity is OK
    ports_file = site.run_dir / "ports.json"
    ports_file.chmod(0o640)
    found = secrets(site)
    assert (found.severity, found.fix) == (PROBLEM, f"`chmod go-rwx {ports_file}`")


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk("disk", tmp_path / "not" / "there").severity is OK
    monkeypatch.setattr("infra.local.doctor.folders.DISK_FREE_GB_MIN", 1e9)
    assert disk("disk", tmp_path).severity is PROBLEM


def test_a_chosen_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other_program:
        port = other_program.getsockname()[1]
        monkeypatch.setenv("SLIPWAY_INFRA_API_PORT", str(port))
        (found,) = ports(Site())
        assert f"port {port} for api is taken by another program" in found.found
        assert "SLIPWAY_INFRA_API_PORT" in found.fix
    assert list(ports(Site())) == []


# servers


def test_an_external_database_is_examined(database_url: str) -> None:
    found = {each.what: each for each in examine_database(Site())}
    assert found["database"].found.endswith(
        f"external at 127.0.0.1:{psycopg.conninfo.conninfo_to_dict(database_url)['port']}"
    )
    assert found["schema"].severity is found["database's clock"].severity is OK
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    assert {each.what: each.fix for each in examine_database(Site())}["schema"] == "Run `./slipway up`."
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE alembic_version")
    assert problems(list(examine_database(Site())))["schema"].found.startswith("at nothing, the newest is ")


def test_a_schema_of_tomorrow_asks_for_a_newer_checkout() -> None:
    assert "Update this checkout" in schema({"9999"}).fix


def test_clocks_that_differ_are_told_from_slow_answers() -> None:
    now = datetime.now(UTC)
    assert clocks_apart(now, now - timedelta(seconds=3), now + timedelta(seconds=3)).severity is OK
    for wrong_by in (-90, 90):
        found = clocks_apart(now + timedelta(seconds=wrong_by), now, now + timedelta(milliseconds=5))
        assert found.severity is PROBLEM
        assert found.found.startswith(("90.0 s", "89.9"))


@pytest.mark.parametrize(
    ("facts", "place", "severity"),
    [
        ({}, ", external at h:1", OK),
        ({"maxmemory_policy": "allkeys-lru"}, ", external at h:1", PROBLEM),
        ({"maxmemory_policy": "volatile-lru"}, ", external at h:1", NOTE),
        ({"maxmemory_policy": "allkeys-lru"}, "", OK),
        ({"redis_version": "5.0.7"}, "", PROBLEM),
        ({"maxmemory": 100, "used_memory": 95}, "", NOTE),
    ],
)
def test_a_redis_that_evicts_or_is_old_is_found(
    facts: dict[str, Any], place: str, severity: Severity
) -> None:
    usual = {"redis_version": "7.2.4", "used_memory_human": "1M", "maxmemory_policy": "noeviction"}
    assert (
        max((each.severity for each in of_redis(usual | facts, place)), key=list(Severity).index) is severity
    )


def test_services_that_rest_fail_or_were_orphaned_are_told_apart() -> None:
    rows = [
        row("postgres", Kind.EXTERNAL, State.UNREACHABLE, failed=True, note="told elsewhere", fix="There."),
        row("valkey", Kind.EMBEDDED, State.READY),
        row("exchange", Kind.PROCESS, State.READY, restarts=2, note="it died"),
        row("api", Kind.PROCESS, State.RESTARTING, failed=True, note="it dies", fix="Mend it."),
        row("dagster-daemon", Kind.PROCESS, State.STOPPED),
        row("lab", Kind.PROCESS, State.STOPPED, by_default=False),
    ]
    found = {each.what: each.severity for each in of_services(rows, is_supervised=True)}
    assert found == {"valkey": OK, "exchange": NOTE, "api": PROBLEM, "dagster-daemon": NOTE}
    (left,) = of_services([row("valkey", Kind.EMBEDDED, State.ORPHANED)], is_supervised=False)
    assert "valkey run on though their supervisor was killed" in left.found


# keys


def test_the_signing_key_is_missed_only_in_production(state_dir: Path) -> None:
    assert signing(DataSettings()).severity is NOTE
    assert not (state_dir / "keys").exists()  # looking does not make one
    assert signing(DataSettings(env="production")).severity is PROBLEM


def test_a_key_that_is_not_trusted_or_none_at_all_is_found(state_dir: Path) -> None:
    settings = DataSettings()
    signing_key(settings)
    assert signing(settings).severity is OK
    (trusted,) = (state_dir / "keys" / "trusted").iterdir()
    trusted.unlink()
    found = signing(settings)
    assert found.severity is PROBLEM
    assert str(trusted) in found.fix
    trusted.write_text("no key")
    assert signing(settings).found.endswith("is no public key")
    (state_dir / "keys" / "signing.pem").write_text("no key")
    assert "is no unencrypted private key" in signing(settings).found


def test_production_refuses_default_passwords_and_notes_what_belongs_on_a_laptop() -> None:
    settings = {
        "env": "production",
        "database_url": "postgresql://slipway:postgres@db/slipway",
        "redis_url": "redis://cache:6379/0",
        "lake_url": "s3://lake",
    }
    found = [each.found for each in production(Site(DataSettings.model_validate(settings)))]
    assert found == [f"SLIPWAY_{name}_URL has no password or a default one" for name in ("DATABASE", "REDIS")]
    assert {each.severity for each in production(Site(DataSettings(env="production")))} == {NOTE}
