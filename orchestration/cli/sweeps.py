"""What `slipway sweep` is asked in words: what to search, where to run, which files to write, how a Ctrl-C ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from data.errors import SlipwayError, UsageError
from orchestration.cli import INTERRUPTED
from orchestration.cli.strategies import grid_of

if TYPE_CHECKING:
    from execution.strategy import Rule
    from research.sweep import Sweep
    from research.sweep.searches import Search

ROWS = (".parquet", ".csv")
PICTURES = (".svg", ".png", ".html")


class Stopped(SlipwayError):
    """Somebody pressed Ctrl-C."""

    exit_code = INTERRUPTED


def search_of(
    strategy: "type[Rule]",
    typed: list[str],
    *,
    random: int | None,
    guided: int | None,
    seed: int,
    by: str,
) -> "Search":
    """The search that was asked for; ranges say where a random or a guided one looks."""
    from research.sweep import guided as guided_search
    from research.sweep import random_search

    if random is not None and guided is not None:
        raise UsageError("a sweep is random or guided, not both", "Give --random or --guided.")
    over = grid_of(strategy, typed) if typed else None
    if random is not None:
        return random_search(random, seed, over)
    if guided is not None:
        return guided_search(guided, by, seed, over)
    return grid_of(strategy, typed)


def named_engine(typed: str) -> Literal["threads", "dask"]:
    """The engine of that name."""
    if typed == "threads":
        return "threads"
    if typed == "dask":
        return "dask"
    raise UsageError(f"there is no engine {typed!r}", "Use --engine threads or --engine dask.")


def refuse_other_files(rows: Path | None, picture: Path | None) -> None:
    """Say before the sweep, not after it, that a file cannot be written."""
    if rows is not None and rows.suffix not in ROWS:
        raise UsageError(f"a sweep cannot be written as {rows.name}", "Name a .parquet or a .csv file.")
    if picture is not None and picture.suffix not in PICTURES:
        raise UsageError(
            f"a heat map cannot be drawn as {picture.name}", "Name an .svg, a .png or an .html file."
        )
    for path in (rows, picture):
        if path is not None and not path.absolute().parent.is_dir():
            raise UsageError(
                f"there is no folder {path.parent} for {path.name}", "Choose a folder that exists."
            )


def save_frame(found: "Sweep", out: Path) -> None:
    """Every row, as parquet or CSV."""
    with _written(out):
        found.frame.write_parquet(out) if out.suffix == ".parquet" else found.frame.write_csv(out)


def save_map(found: "Sweep", out: Path, by: str) -> None:
    """The picture of all sets alone, or on a page with the best of them."""
    with _written(out):
        if out.suffix == ".html":
            out.write_text(_page(found, by), encoding="utf-8")
            return
        from research.reports.sweep_map import MAP_WIDTH, picture_of

        drawn = picture_of(found.frame, by).chart(MAP_WIDTH)
        out.write_bytes(drawn.png if out.suffix == ".png" else drawn.svg.encode())


def _page(found: "Sweep", by: str) -> str:
    from research.reports import sweep_report

    return sweep_report(found, by).html


@contextmanager
def stoppable() -> Iterator[None]:
    """A Ctrl-C as a sentence that says how to go on."""
    from research.sweep import SweepStopped

    try:
        yield
    except SweepStopped as stopped:
        fix = (
            "They are kept; add --resume to the same command to continue."
            if stopped.trouble is None
            else f"They are lost: {stopped.trouble}."
        )
        raise Stopped(stopped.what, fix) from None


@contextmanager
def _written(out: Path) -> Iterator[Any]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the sweep cannot be written to {out}: {error}", "Choose a folder that exists."
        ) from None
