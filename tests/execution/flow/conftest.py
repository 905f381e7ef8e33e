"""A promoted strategy, and everything it needs to trade one short session."""

from pathlib import Path

import pytest
from desk import CAPITAL, RESEARCHED, SESSION, STRATEGY, SYMBOLS, Desk
from exchange_process import ExchangeProcess

from data import registry
from data.ingest import ingest
from data.postgres import connect
from data.settings import get_settings
from data.sources import source
from research.gates import measure_parity
from research.publish import publish


@pytest.fixture
def desk(
    database_url: str,
    redis_url: str,
    exchange: ExchangeProcess,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Desk:
    monkeypatch.setenv("SLIPWAY_EXCHANGE_URL", exchange.url)
    get_settings.cache_clear()
    ingest(source("synthetic"), SYMBOLS, RESEARCHED[0], SESSION)
    version, _ = publish(STRATEGY, SYMBOLS, *RESEARCHED, capital=CAPITAL)
    assert measure_parity(version).holds
    with connect() as connection:
        version = registry.promote(connection, version, "paper", actor="test", reason="test")
    return Desk(tmp_path.name, version)
