"""One service under watch, with processes that misbehave on purpose."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local import watched
from infra.local.services import Service
from infra.local.site import Site
from infra.local.watched import State, Watched


@pytest.fixture
def site(state_dir: Path) -> Site:
    site = Site()
    site.make_folders()
    return site


def a_service(code: str, **details: Any) -> Service:
    return Service(
        "job", lambda arguments: [sys.executable, "-c", code, *arguments], listens=False, **details
    )


def run_until(site: Site, service: Service, condition: Callable[[Watched], bool], *arguments: str) -> Watched:
    async def watch() -> Watched:
        job = Watched(service, site, {})
        job.start(arguments)
        async with asyncio.timeout(30):
            while not condition(job):  # noqa: ASYNC110  files and other processes set no events
                await asyncio.sleep(0.01)
        described = job.describe()
        await job.stop()
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


def test_what_keeps_dying_is_reported_with_its_last_words(site: Site) -> None:
    service = a_service("raise SystemExit('no such symbol: XYZ')", is_ready=lambda: False)
    job = run_until(site, service, lambda job: job.has_failed)
    assert job.note == "job ended with exit code 1 (no such symbol: XYZ)"


def test_a_frozen_service_is_killed_and_started_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "PROBE_EVERY_S", 0.01)
    answers = iter([True, *[False] * watched.PROBES_MISSED_MAX])
    service = a_service("import time; time.sleep(60)", is_ready=lambda: next(answers, True))
    job = run_until(site, service, lambda job: job.state is State.READY and job.restarts == 1)
    assert "did not answer 3 times in a row" in job.note


def test_a_step_that_breaks_is_told_and_tried_again(site: Site) -> None:
    moods = iter([ZeroDivisionError("first time unlucky")])

    def migrate() -> None:
        for mood in moods:
            raise mood

    service = a_service("import time; time.sleep(60)", once_ready=migrate)
    job = run_until(site, service, lambda job: job.state is State.READY)
    assert (job.note, job.restarts) == ("ZeroDivisionError: first time unlucky", 1)


def test_what_ignores_its_signal_is_killed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "GRACE_S", 0.05)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    job = run_until(site, a_service(deaf), lambda job: job.log.exists() and "deaf" in job.log.read_text())
    assert job.state is State.STOPPED
    assert not job.pid_file.exists()
