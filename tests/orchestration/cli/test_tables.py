"""Tables in eighty columns, and in none."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console

from orchestration.cli.tables import print_facts, print_table

ORDER = {
    "created_at": datetime(2026, 10, 1, 14, 30, tzinfo=UTC),
    "symbol": "AAA",
    "side": "buy",
    "qty": Decimal("1234.000000"),
    "realised": Decimal("-221.18391599998968"),
    "state": "FILLED",
    "strategy": "crossover",
    "coid": "glcr43j3yz5sodt5nqr7i3aau5l2fqbd",
}


def printed(rows: list[dict[str, Any]], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(console, "Orders of [demo]", rows)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(said, str)
    return said


def test_what_does_not_fit_is_left_out_and_named() -> None:
    said = printed([ORDER], 80)
    assert all(len(line) <= 80 for line in said.splitlines())
    assert "…" not in said
    assert "2026-10-01 14:30:00" in said
    assert "1,234 " in said
    assert "-221.183916 " in said
    assert "No room for coid: widen the terminal, or use --json." in said


def test_a_wide_terminal_shows_all() -> None:
    said = printed([ORDER], 200)
    assert "glcr43j3yz5sodt5nqr7i3aau5l2fqbd" in said
    assert "No room" not in said


def test_a_sentence_wraps_before_a_value_gives_way() -> None:
    said = printed([{"what": "disk", "fix": "make room in this folder, or " * 4, "state": "full"}], 60)
    assert "No room" not in said
    assert "full" in said


def test_the_narrowest_terminal_still_shows_the_first_column() -> None:
    assert "2026-10-01 14:30:00" in printed([ORDER], 30)


def test_brackets_are_text() -> None:
    said = printed([{"reason": "[bold]refused[/]"}], 80)
    assert "Orders of [demo]" in said
    assert "[bold]refused[/]" in said


def test_a_title_is_not_broken_by_narrow_facts() -> None:
    console = Console(file=io.StringIO(), width=80)
    print_facts(console, "Crossover(fast=10, slow=50) on AAA", {"orders": 39})
    assert "Crossover(fast=10, slow=50) on AAA\n" in console.file.getvalue()  # type: ignore[attr-defined]
