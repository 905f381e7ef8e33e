"""A run is named by its inputs, keeps its bytes, and nothing that was killed half-way stands in its way."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import draft, recorded

from data import runs
from data.errors import Corrupt, UsageError
from data.postgres import connect
from data.runs import OtherBytes
from data.storage import lake_storage


def test_a_run_is_named_by_its_inputs_and_by_nothing_else() -> None:
    assert draft().id == draft(created_by="somebody else", where_from="elsewhere", snapshot=7, bars=None).id
    assert draft().id != draft(number=11).id
    assert draft().inputs_sha256.startswith(draft().id)


@pytest.mark.full
@given(
    st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False, allow_infinity=False) | st.integers()),
    st.randoms(),
)
def test_the_order_of_inputs_changes_nothing(inputs: dict[str, float], random: Random) -> None:
    items = list(inputs.items())
    random.shuffle(items)
    assert runs.canonical(dict(items)) == runs.canonical(inputs)


def test_parquet_is_the_same_bytes_however_the_frame_is_chunked() -> None:
    frame = pl.DataFrame({"number": range(1000), "word": ["a", "b"] * 500})
    in_pieces = pl.concat([frame[:7], frame[7:400], frame[400:]], rechunk=False)
    assert in_pieces.n_chunks() == 3
    assert runs.parquet(in_pieces) == runs.parquet(frame)


@pytest.mark.usefixtures("database_url")
def test_the_same_run_twice_is_one_record_with_the_first_ones_words() -> None:
    first = recorded()
    assert recorded(draft(where_from="another desk")) == first
    with connect() as connection:
        assert runs.listing(connection) == [first]


@pytest.mark.usefixtures("database_url")
def test_other_bytes_for_the_same_inputs_are_refused_with_what_differs() -> None:
    recorded()
    changed = draft(files={"orders.parquet": b"others", "statistics.json": b"{}"}, code={"commit": "def"})
    with pytest.raises(
        OtherBytes, match=r"gave other bytes than before \(orders.parquet\)\. .*commit abc then, def now"
    ):
        recorded(changed)


@pytest.mark.usefixtures("database_url")
def test_a_run_killed_before_its_row_is_completed_by_the_next(state_dir: Path) -> None:
    made = draft()
    left = runs.store(lake_storage(), made, None)
    with connect() as connection:
        assert runs.by_id(connection, made.id) is None
    assert recorded(made).outputs == left


@pytest.mark.usefixtures("database_url")
def test_what_other_code_left_before_it_was_killed_is_gone_round() -> None:
    runs.store(lake_storage(), draft(files={"orders.parquet": b"of another commit"}), None)
    run = recorded()
    assert runs.content(lake_storage(), run, "orders.parquet") == b"orders"
    assert lake_storage().get(f"runs/{run.id}/orders.parquet") == b"of another commit"


@pytest.mark.usefixtures("database_url")
def test_two_identical_runs_at_once_both_succeed() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: recorded(), range(16)))
    assert len({run.id for run in made}) == 1
    with connect() as connection:
        assert len(runs.listing(connection)) == 1


@pytest.mark.usefixtures("database_url")
def test_a_file_that_somebody_changed_is_refused_and_one_that_was_lost_is_stored_anew(
    state_dir: Path,
) -> None:
    run = recorded()
    path = state_dir / "lake" / run.outputs["orders.parquet"].path
    path.write_bytes(b"forged")
    with pytest.raises(Corrupt, match="is not the file that was recorded"):
        runs.content(lake_storage(), run, "orders.parquet")
    path.unlink()
    recorded()
    assert runs.content(lake_storage(), run, "orders.parquet") == b"orders"
    with pytest.raises(UsageError, match="has no file 'trades'"):
        runs.content(lake_storage(), run, "trades")


@pytest.mark.usefixtures("database_url")
def test_a_run_whose_bars_were_unknown_learns_where_they_are() -> None:
    assert recorded(draft(bars=None, snapshot=None, unrepeatable="bars of unknown origin")).bars is None
    known = recorded(draft(snapshot=3))
    assert (known.bars, known.snapshot, known.unrepeatable) == ({"symbols": ["AAA"]}, 3, None)
    assert recorded(draft(bars=None, snapshot=None)) == known


@pytest.mark.full
@pytest.mark.usefixtures("database_url")
def test_a_run_is_found_by_the_start_of_its_id() -> None:
    run = recorded()
    with connect() as connection:
        assert runs.find(connection, run.id[:6].upper()) == run
        for unknown in ("zz", "%", "", "0" * 16):
            with pytest.raises(UsageError, match="there is no run"):
                runs.find(connection, unknown)
    known = [
        recorded(draft(number=number)) for number in range(20, 36)
    ]  # two of 17 begin with the same digit
    digits = [each.id[0] for each in [run, *known]]
    twice = next(digit for digit in digits if digits.count(digit) > 1)
    with connect() as connection, pytest.raises(UsageError, match=f"several runs begin with '{twice}'"):
        runs.find(connection, twice)


@pytest.mark.usefixtures("database_url")
def test_of_two_writers_at_once_with_other_bytes_the_second_is_told() -> None:
    first = draft()
    second = draft(files={"orders.parquet": b"others", "statistics.json": b"{}"})
    stored = [runs.store(lake_storage(), each, None) for each in (first, second)]  # neither saw the other
    with connect() as connection:
        assert runs.enter(connection, first, stored[0])
    with pytest.raises(OtherBytes), connect() as connection:
        runs.enter(connection, second, stored[1])
    assert runs.content(lake_storage(), recorded(), "orders.parquet") == b"orders"
