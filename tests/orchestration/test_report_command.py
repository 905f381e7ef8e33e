"""`slipway report` as a person types it: of runs on record, of several side by side, of a strategy on past bars."""

import re
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from data import runs
from data.errors import Refused, SlipwayError
from data.postgres import connect
from orchestration.cli import reports, research

app = Typer()
app.add_typer(research.app)
app.add_typer(reports.app)

RANGE = ["--start", "2026-09-01", "--end", "2026-09-04"]
GRID = ["-p", "fast=5:15:5", "-p", "slow=30,60"]


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to type commands in."""
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    if isinstance(done.exception, SlipwayError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def fails(*words: str, code: int = 2) -> str:
    with pytest.raises(SlipwayError) as raised:
        run(*words)
    assert raised.value.exit_code == code
    assert not list(Path.cwd().glob("*.html")) + list(Path.cwd().glob("*.png"))
    return str(raised.value)


def backtested(*symbols: str, fast: int = 5) -> str:
    """The id of a backtest that was just recorded."""
    run("backtest", "crossover", *symbols, *RANGE, "-p", f"fast={fast}", "-p", "slow=30")
    return newest("backtest")


def newest(kind: runs.Kind) -> str:
    with connect() as connection:
        return runs.listing(connection, kind=kind, limit=1)[0].id


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_the_page_of_a_record_is_that_of_the_backtest_and_repeats_to_the_byte(desk: Path) -> None:
    said = run("report", "crossover", "AAA", *RANGE, "-p", "fast=5", "-p", "slow=30")
    assert str(desk / "report.html") in said.replace("\n", "")
    first = (desk / "report.html").read_bytes()
    recorded = newest("backtest")
    run("report", recorded[:7], "--out", "again.html")
    run("report", recorded.upper(), "--out", "once_more.html")
    assert first == (desk / "again.html").read_bytes() == (desk / "once_more.html").read_bytes()
    page = first.decode()
    with connect() as connection:
        record = runs.find(connection, recorded)
    for said in (
        recorded,
        record.code["commit"],
        record.inputs["strategy"]["sha256"],
        "runs/",
        "Recorded: run",
    ):
        assert said in page
    assert all(output.sha256 in page for output in record.outputs.values())
    assert re.search(rf"snapshot</th><td>{record.snapshot}</td>", page)


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_a_record_as_a_picture_and_two_records_side_by_side(desk: Path) -> None:
    one, other = backtested("AAA"), backtested("AAA", fast=10)
    run("report", one, other, "--out", "both.html")
    page = (desk / "both.html").read_text()
    assert "2 runs compared" in page
    assert "fast 5" in page
    assert one in page
    assert other in page
    run("report", one, "--out", "one.png")
    assert (desk / "one.png").read_bytes().startswith(b"\x89PNG")
    assert "is named twice" in fails_beside(one, one[:8])


def fails_beside(*words: str) -> str:
    """A refusal in a folder that holds files."""
    with pytest.raises(SlipwayError) as raised:
        run("report", *words, "--out", "refused.html")
    assert not Path("refused.html").exists()
    return str(raised.value)


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_the_page_of_a_sweep_is_the_same_from_its_record(desk: Path) -> None:
    run("sweep", "crossover", "AAA", *RANGE, *GRID, "--heat-map", "map.html")
    swept = newest("sweep")
    run("report", swept, "--out", "page.html")
    page = (desk / "page.html").read_text()
    assert page == (desk / "map.html").read_text()
    assert "Sweep of Crossover on AAA" in page
    assert "The best 6 of 6" in page
    run("sweep", "crossover", "AAA", *RANGE, *GRID, "--heat-map", "map.png")
    assert (desk / "map.png").read_bytes().startswith(b"\x89PNG")
    assert "is a sweep, which stands beside nothing" in fails_beside(swept, backtested("AAA"))


@pytest.mark.full
@pytest.mark.usefixtures("market")
def test_the_page_of_a_validation_is_the_judged_backtest_with_every_check(desk: Path) -> None:
    with pytest.raises(Refused):
        run("validate", "crossover", "AAA", *RANGE, *GRID)
    run("report", newest("validation"), "--out", "judged.html")
    page = (desk / "judged.html").read_text()
    assert "Validation not passed: " in page
    assert "deflated Sharpe" in page
    assert "6 parameter sets, by Sharpe ratio" in page
    assert "0 earlier ones on record count in full" in page
    assert newest("sweep") in page


@pytest.mark.usefixtures("market")
def test_a_record_that_gives_other_bytes_has_no_page() -> None:
    recorded = backtested("AAA")
    with connect() as connection:
        connection.execute(
            """update research_runs set outputs = jsonb_set(outputs, '{equity.parquet,sha256}', '"0"')"""
        )
    said = fails("report", recorded, code=1)
    assert f"run {recorded} gave other bytes than before: equity.parquet" in said
    assert "it was recorded by the commit" in said


@pytest.mark.usefixtures("market")
def test_nothing_is_run_for_a_file_that_cannot_be_written() -> None:
    for name, says in (
        ("page.pdf", "a report cannot be written as 'page.pdf'. Name a file that ends in .html or .png."),
        ("nowhere/page.html", "there is no folder nowhere for page.html. Choose a folder that exists."),
    ):
        assert says in fails("report", "crossover", "AAA", *RANGE, "--out", name)
    with connect() as connection:
        assert runs.listing(connection) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["crosover", "AAA"], "'crosover' is no run and no strategy. Give a run of `./slipway runs list`"),
        (["abc123"], "there is no run 'abc123'. Make one: `./slipway sweep`."),
        (["crossover"], "nothing is said about what crossover trades"),
        (["abc123", "--capital", "5", "-p", "fast=3"], "so --capital, --param would change nothing"),
        (["nowhere.py", "AAA"], "nowhere.py cannot be read"),
    ],
)
@pytest.mark.usefixtures("database_url")
def test_what_makes_no_sense_is_said_in_a_sentence(words: list[str], says: str) -> None:
    assert says in fails("report", *words)
