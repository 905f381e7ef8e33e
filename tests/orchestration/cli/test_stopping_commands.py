"""What a person on call types: commands, limits and halts of an account."""

import json
from collections.abc import Callable

import pytest

from data import control
from data.postgres import connect
from orchestration.cli import main

Typed = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.usefixtures("database_url", "redis_url")


@pytest.fixture(autouse=True)
def account(database_url: str) -> None:
    with connect() as connection:
        control.ensure_account(connection, "paper", "sim", 1000.0)
        connection.execute("insert into strategies (name) values ('crossover')")


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Typed:
    """Runs a command line: exit code, stdout, stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["trade", *words])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def test_each_command_says_what_is_in_force_now(typed: Typed) -> None:
    assert typed("pause")[:2] == (0, "paper is paused: opens nothing; closing goes on.\n")
    assert typed("resume")[:2] == (0, "paper is running: trades.\n")
    assert typed("cancel", "--no-wait")[:2] == (0, "paper is running: is told to cancel every order.\n")
    told = typed("flatten", "--no-wait")[1]
    assert told == "paper is flattening: opens nothing, and is told to close everything.\n"
    code, _, err = typed("pause")
    assert code == 3
    assert "paper is flattening, which does more than a pause would" in err
    assert typed("kill", "--no-wait")[0] == 0


def test_json_tells_all_of_it(typed: Typed) -> None:
    told = json.loads(typed("pause", "--reason", "news", "--json")[1])
    assert (told["account"], told["mode"], told["reason"]) == ("paper", "paused", "news")
    assert (told["revision"], told["verified_flat_at"]) == (1, None)


@pytest.mark.full
def test_without_an_engine_a_flatten_says_that_nobody_carries_it_through(typed: Typed) -> None:
    code, _, err = typed("flatten")
    assert code == 1
    assert "paper is flattening, but no engine runs that could carry it through" in err


def test_limits_show_defaults_and_what_somebody_set_in_their_place(typed: Typed) -> None:
    before = {row["name"]: row for row in json.loads(typed("limits", "--json")[1])}
    assert (before["order_qty_max"]["value"], before["order_qty_max"]["actor"]) == (1e6, "settings")
    assert before["daily_loss_max"]["value"] is None
    changes = ("--set", "order_qty_max=5", "--set", "restricted=1", "--reason", "first week")
    assert typed("limits", *changes)[0] == 0
    changes = ("--set", "order_qty_max=off", "--strategy", "crossover", "--reason", "none of its own")
    after = json.loads(typed("limits", *changes, "--json")[1])
    assert [(row["value"], row["strategy"]) for row in after if row["name"] == "order_qty_max"] == [
        (5.0, ""), (None, "crossover"),
    ]  # fmt: skip
    typed("limits", "--set", "order_qty_max=default", "--reason", "over")
    history = json.loads(typed("limits", "--history", "--json")[1])
    assert [(row["name"], row["reason"]) for row in history] == [
        ("order_qty_max", "over"),
        ("order_qty_max", "none of its own"),
        ("restricted", "first week"),
        ("order_qty_max", "first week"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["limits", "--set", "order_qty_max=5"], "a limit is changed with a reason"),
        (["limits", "--set", "order_qty_max=many", "--reason", "x"], "order_qty_max=many is not NAME=VALUE"),
        (["limits", "--set", "nosuch=5", "--reason", "x"], "there is no limit 'nosuch'"),
        (["halts", "--clear", "AAA"], "a halt is cleared with a reason"),
        (["halts", "--clear", "AAA", "--reason", "x"], "AAA is not halted on paper"),
    ],
)
def test_a_mistake_is_a_sentence_and_changes_nothing(typed: Typed, words: list[str], says: str) -> None:
    code, out, err = typed(*words)
    assert (code, out) == (2, "")
    assert says in err
    assert typed("limits", "--history")[1] == "Nobody changed a limit of paper yet.\n"


def test_halts_are_listed_and_cleared(typed: Typed) -> None:
    with connect() as connection:
        connection.execute(
            "insert into symbol_halts (account, symbol, reason) values ('paper', 'AAA', 'odd')"
        )
    assert [row["symbol"] for row in json.loads(typed("halts", "--json")[1])] == ["AAA"]
    assert typed("halts", "--clear", "AAA", "--reason", "explained")[1] == "No symbol of paper is halted.\n"
