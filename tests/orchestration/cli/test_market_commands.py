"""`slipway data` and `publish`, typed as a person types them."""

import json
from datetime import date

import pytest

from data import registry
from data.ingest import ingest
from data.postgres import connect
from data.sources import source
from orchestration.cli import main

pytestmark = pytest.mark.usefixtures("database_url")

RANGE = ["--start", "2026-09-01", "--end", "2026-09-04"]


@pytest.fixture
def market() -> None:
    ingest(source("synthetic"), ["AAA"], date(2026, 9, 1), date(2026, 9, 4))


def test_sessions_are_shown_one_a_line(market: None, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "show", "AAA", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["session"] for row in rows] == ["2026-09-01", "2026-09-02", "2026-09-03", "2026-09-04"]
    assert {row["bars"] for row in rows} == {390}
    assert all(row["low"] <= min(row["open"], row["close"]) for row in rows)


@pytest.mark.full
@pytest.mark.parametrize("end", ["1900-01-05", "2099-01-01"])
def test_a_day_that_no_calendar_knows_is_a_mistake_of_use(
    end: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "ingest", "AAA", "--end", end]) == 2
    assert f"not {end}" in capfd.readouterr().err


@pytest.mark.full
def test_a_symbol_named_twice_is_one_book(market: None) -> None:
    assert main(["publish", "crossover", "AAA", "AAA", *RANGE]) == 0
    with connect() as connection:
        assert registry.find(connection, "crossover").manifest["universe"] == ["AAA"]


@pytest.mark.parametrize("wrong", [["--capital", "-5"], ["--capital", "nan"], ["--trials", "0"]])
def test_what_cannot_be_traded_with_is_not_published(market: None, wrong: list[str]) -> None:
    assert main(["publish", "crossover", "AAA", *RANGE, *wrong]) == 2


def test_a_session_range_that_is_reversed_is_not_traded(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["trade", "run", "--first", "2026-10-05", "--last", "2026-10-01"]) == 2
    assert "is before the first" in capfd.readouterr().err
