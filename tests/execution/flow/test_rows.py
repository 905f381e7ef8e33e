"""What is sent is what was decided."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from data.errors import Corrupt
from execution.core.intents import Intent
from execution.core.terms import MARKET_DAY, OrderTerms
from execution.flow.gateway import intent_of

NOW = datetime(2026, 10, 1, 14, 30, tzinfo=UTC)


def decided(terms: OrderTerms = MARKET_DAY) -> Intent:
    now_us = int(NOW.timestamp() * 1e6)
    return Intent(
        coid="c1", account="paper", artifact_hash=None, strategy="test", symbol="AAA", side="buy", qty=5.5, target=0.5,
        bar_ts_us=now_us, reference_price=100.25, decided_at_us=now_us, terms=terms,
    )  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    intent = decided()
    told = {name: getattr(intent, name) for name in intent.__struct_fields__}
    stored = {
        "qty": Decimal("5.5"),
        "reference_price": Decimal("100.25"),
        "bar_ts_utc": NOW,
        "decided_at": NOW,
    }
    return {**told, **stored, "body_hash": intent.body_hash, **changes}


def test_an_intent_comes_back_from_its_row_to_the_last_digit() -> None:
    intent = intent_of(row())
    assert (intent.qty, intent.body_hash) == (5.5, row()["body_hash"])


@pytest.mark.parametrize(
    "changed",
    [
        {"qty": Decimal("55")},
        {"side": "sell"},
        {"body_hash": decided(OrderTerms(notional=550.0)).body_hash},  # of terms that rows do not hold yet
    ],
)
def test_a_row_that_is_not_what_was_decided_is_not_sent(changed: dict[str, Any]) -> None:
    with pytest.raises(Corrupt, match="not the order that was decided"):
        intent_of(row(**changed))
