"""One service under watch, with processes that misbehave on purpose."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local import supervisor, watched
from infra.local.addresses import LOOPBACK, listens_on
from infra.local.control import Control
from infra.local.kept import State
from infra.local.orphans import left_over
from infra.local.services import Service
from infra.local.site import Site
from infra.local.supervisor import Supervisor
from infra.local.watched import Watched


@pytest.fixture
def site(state_dir: Path) -> Site:
    site = Site()
    site.make_folders()
    return site


def a_service(code: str, **details: Any) -> Service:
    return Service(
        "job", lambda arguments: [sys.executable, "-c", code, *arguments], listens=False, **details
    )


def run_until(
    site: Site, service: Service, condition: Callable[[Watched], bool], *arguments: str, grace_s: float = 3.0
) -> Watched:
    async def watch() -> Watched:
        job = Watched(service, site, {})
        job.start(arguments)
        async with asyncio.timeout(30):
            while not condition(job):  # noqa: ASYNC110  files and other processes set no events
                await asyncio.sleep(0.01)
        described = job.describe()
        await job.stop(grace_s)
        job.note, job.exit_code = described["note"], described["exit_code"]
        return job

    return asyncio.run(watch())


def test_a_session_that_ends_by_itself_stays_ended(site: Site) -> None:
    service = a_service("import sys; print(sys.argv[1])", ends_by_itself=True)
    job = run_until(site, service, lambda job: job.state is State.ENDED, "--once")
    assert (job.exit_code, job.restarts) == (0, 0)
    assert job.log.read_text() == "--once\n"


def test_a_refusal_is_not_tried_again(site: Site) -> None:
    service = a_service("import sys; sys.exit(3)", ends_by_itself=True)
    job = run_until(site, service, lambda job: job.state is State.ENDED and job.has_failed)
    assert (job.exit_code, job.restarts) == (3, 0)


@pytest.mark.full
def test_what_keeps_dying_is_reported_with_its_last_words(site: Site) -> None:
    service = a_service("raise SystemExit('no such symbol: XYZ')", is_ready=lambda: False)
    job = run_until(site, service, lambda job: job.has_failed)
    assert job.note == "job ended with exit code 1 (no such symbol: XYZ)"


@pytest.mark.full
def test_a_frozen_service_is_killed_and_started_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "PROBE_EVERY_S", 0.01)
    answers = iter([True, *[False] * watched.PROBES_MISSED_MAX])
    service = a_service("import time; time.sleep(60)", is_ready=lambda: next(answers, True))
    job = run_until(site, service, lambda job: job.state is State.READY and job.restarts == 1)
    assert "did not answer 3 times in a row" in job.note


@pytest.mark.full
def test_a_step_that_breaks_is_told_and_tried_again(site: Site) -> None:
    moods = iter([ZeroDivisionError("first time unlucky")])

    def migrate() -> None:
        for mood in moods:
            raise mood

    service = a_service("import time; time.sleep(60)", once_ready=migrate)
    job = run_until(site, service, lambda job: job.state is State.READY)
    assert (job.note, job.restarts) == ("ZeroDivisionError: first time unlucky", 1)


def test_what_ignores_its_signal_is_killed(site: Site) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    heard = lambda job: job.log.exists() and "deaf" in job.log.read_text()  # noqa: E731
    job = run_until(site, a_service(deaf), heard, grace_s=0.05)
    assert job.state is State.STOPPED
    assert not job.pid_file.exists()


def test_a_service_starts_when_what_it_needs_is_ready_and_not_before(site: Site) -> None:
    is_open = site.run_dir / "open"
    server = a_service("import time; time.sleep(60)", is_ready=is_open.exists)
    user = replace(server, name="user", after=("job",), is_ready=lambda: True)

    async def start_both() -> None:
        both: dict[str, Watched] = {}
        both["user"], both["job"] = Watched(user, site, both), Watched(server, site, both)
        for each in both.values():
            each.start()
        async with asyncio.timeout(10):
            while both["job"].describe()["pid"] is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert both["user"].state is State.WAITING
            assert both["user"].describe()["pid"] is None
            is_open.touch()
            await both["user"].ready.wait()
        for each in both.values():
            await each.stop(3.0)

    asyncio.run(start_both())


@pytest.mark.full
def test_what_is_stopped_by_a_signal_is_frozen_though_nobody_can_ask_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "PROBE_EVERY_S", 0.05)
    stops_itself_once = (
        "import os, pathlib, signal, sys, time\n"
        "first = pathlib.Path(sys.argv[1])\n"
        "if not first.exists(): first.touch(); os.kill(os.getpid(), signal.SIGSTOP)\n"
        "time.sleep(60)"
    )
    job = run_until(
        site,
        a_service(stops_itself_once),
        lambda job: job.state is State.READY and job.restarts == 1,
        str(site.run_dir / "first"),
    )
    assert "did not answer 3 times in a row" in job.note


@pytest.mark.full
def test_what_answers_for_another_program_is_not_ready(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two checkouts that try one port the slower must not take the quicker's service for its own."""
    with socket.create_server((LOOPBACK, 0)) as winner:
        port = winner.getsockname()[1]
        monkeypatch.setattr(site, "port", lambda name: port)
        monkeypatch.setattr(site, "ensure_port_is_free", lambda name, *, may_move: None)
        loser = Service(
            "api", lambda _: [sys.executable, "-c", "import time; time.sleep(60)"], ready_within_s=0.5
        )
        job = run_until(site, loser, lambda job: job.state is State.RESTARTING)
        assert "was not ready within" in job.note
        assert listens_on(os.getpgrp(), port)


def test_a_new_up_does_not_wait_for_the_pause(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "PAUSE_FIRST_S", 60.0)
    monkeypatch.setattr(watched, "PAUSE_MAX_S", 60.0)
    mended = site.run_dir / "mended"
    code = f"import pathlib, time; time.sleep(60 if pathlib.Path({str(mended)!r}).exists() else 0)"
    asked_again = iter([True])

    def lives_after_it_was_asked_again(job: Watched) -> bool:
        if job.state is State.RESTARTING and next(asked_again, False):
            mended.touch()
            job.start()
        return job.state is State.READY and job.restarts == 1

    run_until(site, a_service(code, is_ready=mended.exists), lives_after_it_was_asked_again)


@pytest.mark.full
def test_pauses_grow_with_each_quick_death(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr(watched, "PAUSE_MAX_S", 0.05)
    pauses = []

    async def pause(job: Watched, pause_s: float) -> None:
        pauses.append(pause_s)
        await asyncio.sleep(0.001)

    monkeypatch.setattr(Watched, "_pause", pause)
    service = a_service("raise SystemExit(1)", is_ready=lambda: False)
    run_until(site, service, lambda job: len(pauses) >= 4)
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.05]


@pytest.mark.full
def test_down_has_its_ten_seconds_though_every_service_ignores_its_signal(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    server = a_service(deaf)
    user = replace(server, name="user", after=("job",))
    monkeypatch.setattr(supervisor, "services", lambda site: {"job": server, "user": user})
    both = Supervisor(site)
    logs = [site.log_dir / f"{name}.log" for name in ("job", "user")]

    async def run() -> float:
        running = asyncio.create_task(both.run())
        async with asyncio.timeout(10):
            while not Control(site).path.exists():  # noqa: ASYNC110  the supervisor tells by its socket
                await asyncio.sleep(0.01)
        await asyncio.to_thread(Control(site).up)
        async with asyncio.timeout(10):
            while not all("deaf" in log.read_text() for log in logs):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        started = time.monotonic()
        assert await asyncio.to_thread(Control(site).shutdown) == ["job", "user"]
        await running
        return time.monotonic() - started

    assert asyncio.run(run()) < 9
    assert not left_over(site)
