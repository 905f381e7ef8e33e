"""Servers of the person's own: used instead of ours, looked at, never started, and never a riddle."""

import asyncio
import socket
from pathlib import Path

import pytest

from data.errors import SlipwayError, Unavailable, UsageError
from data.settings import DataSettings
from infra.local import external
from infra.local.external import External, ExternalServer
from infra.local.kept import State
from infra.local.launch import bring_up, take_down
from infra.local.overview import overview
from infra.local.services import services, with_needs
from infra.local.site import Site
from infra.local.tenure import holder


class Moods:
    """A server that answers when told to, and counts its preparations."""

    def __init__(self) -> None:
        self.answers = False
        self.prepared = 0

    def look(self) -> None:
        if not self.answers:
            raise Unavailable("the database at h:1 refuses connections", "Start that server.")

    def prepare(self) -> None:
        self.prepared += 1


async def until(server: External, state: State) -> None:
    async with asyncio.timeout(5):
        while server.state is not state:  # noqa: ASYNC110  a state sets no event
            await asyncio.sleep(0.005)


def test_a_server_that_comes_and_goes_is_followed_and_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(external, "LOOK_AGAIN_AFTER_S", 0.01)
    moods = Moods()
    server = ExternalServer("postgres", "h:1", "SLIPWAY_DATABASE_URL", moods.look, moods.prepare)

    async def follow() -> None:
        seen = External(server)
        seen.observe()
        seen.start()
        await until(seen, State.UNREACHABLE)
        row = seen.describe()
        assert (row["kind"], row["where"], row["failed"]) == ("external", "h:1", True)
        assert (row["note"], row["fix"]) == ("the database at h:1 refuses connections", "Start that server.")
        moods.answers = True
        await asyncio.wait_for(seen.ready.wait(), 5)
        moods.answers = False
        await until(seen, State.UNREACHABLE)
        assert not seen.ready.is_set()  # what restarts meanwhile waits for it
        moods.answers = True
        await until(seen, State.READY)
        await seen.stop(0)

    asyncio.run(follow())
    assert moods.prepared == 1


def test_a_server_that_nobody_asked_for_is_looked_at_and_left_as_it_is() -> None:
    moods = Moods()
    moods.answers = True

    async def follow() -> None:
        seen = External(ExternalServer("postgres", "h:1", "SLIPWAY_DATABASE_URL", moods.look, moods.prepare))
        seen.observe()
        await until(seen, State.READY)
        await seen.stop(0)

    asyncio.run(follow())
    assert moods.prepared == 0


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_an_unreachable_external_server_is_a_clear_error_and_nothing_is_started(tmp_path: Path) -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{closed_port()}/ledger"
    site = Site(DataSettings.model_validate({"state_dir": tmp_path / "state", "database_url": url}))
    with pytest.raises(Unavailable, match=r"the database at 127\.0\.0\.1:\d+ refuses connections") as caught:
        bring_up(site, ["postgres"])
    assert "s3cret" not in str(caught.value)
    assert "SLIPWAY_DATABASE_URL" in caught.value.fix
    assert holder(site) is None
    assert not site.run_dir.exists()
    (row,) = overview(site)
    assert (row["name"], row["kind"], row["state"]) == ("postgres", "external", "unreachable")
    assert "s3cret" not in str(row)


def test_what_is_not_needed_is_not_asked_for(tmp_path: Path) -> None:
    settings = {"state_dir": tmp_path / "state", "database_url": "postgresql://h/d", "redis_url": "redis://h"}
    table = services(Site(DataSettings.model_validate(settings)))
    assert with_needs(["exchange"], table) == ["exchange"]
    assert with_needs(["api"], table) == ["postgres", "valkey", "api"]
    assert {"engine", "lab"}.isdisjoint(with_needs([], table))


@pytest.mark.full
def test_an_up_with_other_settings_is_refused_and_not_taken_for_done(tmp_path: Path, redis_url: str) -> None:
    embedded = Site(DataSettings.model_validate({"state_dir": tmp_path / "state", "redis_url": None}))
    external_one = Site(
        DataSettings.model_validate({"state_dir": tmp_path / "state", "redis_url": redis_url})
    )
    bring_up(external_one, ["valkey"])
    try:
        with pytest.raises(UsageError, match="started with another SLIPWAY_REDIS_URL than this command has"):
            bring_up(embedded, ["valkey"])
    finally:
        take_down(external_one)


def test_one_port_for_two_services_is_the_persons_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_INFRA_API_PORT", "8555")
    monkeypatch.setenv("SLIPWAY_INFRA_LAB_PORT", "8555")
    with pytest.raises(SlipwayError, match="SLIPWAY_INFRA_API_PORT and SLIPWAY_INFRA_LAB_PORT both say 8555"):
        bring_up(Site(), ["valkey"])
