"""Runs on record, the trial ledger, and the holdout that research keeps its eyes off."""

from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from orchestration.cli.render import JsonOption, show, show_one

app = typer.Typer()
runs = typer.Typer(no_args_is_help=True)
holdout = typer.Typer(no_args_is_help=True)

RunId = Annotated[str, typer.Argument(help="A run's id, or its beginning.")]
Family = Annotated[
    str, typer.Argument(help="A strategy's name, the path of its file, or a family on record.")
]
AnyFamily = Annotated[str | None, typer.Argument(help="A strategy's name or path; all families when none.")]
Day = typer.Option(formats=["%Y-%m-%d"], help="A session like 2026-09-30.")


@runs.command("list")
def list_(
    family: AnyFamily = None,
    kind: Annotated[
        Literal["backtest", "sweep", "validation"] | None, typer.Option(help="Only runs of this kind.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest.")] = 20,
    as_json: bool = JsonOption,
) -> None:
    """The newest runs on record: what was run on which sessions, and what came of it."""
    from data import runs as records
    from data.postgres import connect

    named = None if family is None else family_named(family)
    with connect() as connection:
        found = records.listing(connection, family=named, kind=kind, limit=limit)
    rows = [
        {
            "run": run.id,
            "kind": run.kind,
            "family": run.family,
            "sharpe": _sharpe(run.statistics),
            "symbols": " ".join(run.inputs["symbols"]),
            "first": run.first,
            "last": run.last,
            "at": run.created_at,
            "who": run.created_by,
            "where_from": run.where_from,
        }
        for run in found
    ]
    show(rows, title="Runs", as_json=as_json, empty="Nothing is on record yet. Start with `./slipway sweep`.")


@runs.command("show")
def show_(run: RunId, as_json: bool = JsonOption) -> None:
    """One run: its inputs, its figures, its files, and whether it can be run again."""
    from data import runs as records
    from data.postgres import connect

    with connect() as connection:
        found = records.find(connection, run)
    inputs = found.inputs
    facts: dict[str, Any] = {
        "run": found.id,
        "kind": found.kind,
        "family": found.family,
        "strategy": inputs["strategy"]["class"],
        "source_sha256": inputs["strategy"]["sha256"],
        **({"params": _pairs(inputs["params"])} if "params" in inputs else {}),
        **({"sets": inputs["sets"]["count"]} if "sets" in inputs else {}),
        "symbols": " ".join(inputs["symbols"]),
        "first": found.first,
        "last": found.last,
        "snapshot": found.snapshot,
        "capital": inputs["capital"],
        "costs": _pairs(inputs["costs"]),
        "terms": _pairs(inputs["terms"]),
        "can_be_run_again": found.unrepeatable or "yes",
        "recorded_at": found.created_at,
        "by": found.created_by,
        "where_from": found.where_from,
        "commit": found.code["commit"] + (" with changes" if found.code["is_dirty"] else ""),
    }
    if as_json:
        facts |= {"inputs": inputs, "bars": found.bars, "statistics": found.statistics, "code": found.code}
        facts["outputs"] = {name: output.path for name, output in found.outputs.items()}
    else:
        facts |= {name: value for name, value in found.statistics.items() if not isinstance(value, dict)}
        facts["best"] = _pairs(found.statistics.get("best", {})) or None
        facts["files"] = "\n".join(output.path for output in found.outputs.values())
    show_one(facts, title=f"Run {found.id}", as_json=as_json)


@runs.command()
def again(run: RunId, as_json: bool = JsonOption) -> None:
    """Run a record once more, from its record alone, and compare every byte."""
    from data.errors import SlipwayError
    from research.records import again as run_again

    done = run_again(run)
    if as_json:
        facts = {"run": done.run.id, "identical": done.identical, "differing": list(done.differing)}
        show_one(facts, title="", as_json=True)
    if not done.identical:
        raise SlipwayError(
            str(done), f"Compare the code: it was recorded by the commit {done.run.code['commit'][:12]}."
        )
    if not as_json:
        print(f"The {done.run.kind} {done.run.id} gave identical bytes: {', '.join(done.run.outputs)}.")


@app.command()
def trials(family: AnyFamily = None, as_json: bool = JsonOption) -> None:
    """The trial ledger: everything that was ever tried, and how good the best of it looked."""
    from research.records import trials as trials_of
    from research.records.ledger import SHOWN

    known = trials_of(None if family is None else family_named(family))
    rows = known.frame.reverse().to_dicts()
    if not as_json:
        rows = [{name: row[name] for name in SHOWN} for row in rows]
    show(
        rows,
        title=f"{str(known)[0].upper()}{str(known)[1:]}",
        as_json=as_json,
        empty="Nothing was tried on record yet. Start with `./slipway sweep`.",
    )


@holdout.command("set")
def set_(
    family: Family, start: Annotated[datetime, Day], end: Annotated[datetime, Day], by: str = ""
) -> None:
    """Seal sessions that research has not seen: backtests and sweeps are refused them until they are opened."""
    from data import audit, holdouts
    from data.postgres import connect

    named = family_named(family)
    with connect() as connection:
        made = holdouts.set_holdout(connection, named, start.date(), end.date(), who=by or audit.person())
    print(f"{made} is sealed.")


@holdout.command("show")
def show_holdouts(family: AnyFamily = None, as_json: bool = JsonOption) -> None:
    """The holdouts, and who opened them and why."""
    from data import holdouts
    from data.postgres import connect

    named = None if family is None else family_named(family)
    with connect() as connection:
        found = holdouts.holdouts(connection, named)
    rows = [
        {
            "family": each.family,
            "first": each.first,
            "last": each.last,
            "state": "sealed" if each.is_sealed else "opened",
            "set_by": each.set_by,
            "set_at": each.set_at,
            "opened_by": each.opened_by,
            "opened_at": each.opened_at,
            "reason": each.reason,
            "run": each.run_id,
        }
        for each in found
    ]
    show(
        rows,
        title="Holdouts",
        as_json=as_json,
        empty="No holdout is set. Set one before you begin: `./slipway holdout set`.",
    )


@holdout.command("open")
def open_(
    family: Family,
    reason: Annotated[str, typer.Option(help="Why research is finished; kept in the audit log.")],
    run: Annotated[str | None, typer.Option(help="The recorded run it is opened for.")] = None,
    by: Annotated[str, typer.Option(help="Who opens it.")] = "",
) -> None:
    """Open a holdout, once and for all."""
    from data import audit, holdouts
    from data.postgres import connect

    named = family_named(family)
    with connect() as connection:
        opened = holdouts.open_holdout(connection, named, reason=reason, who=by or audit.person(), run=run)
    print(f"{opened} is open. It cannot be sealed again.")


def family_named(name: str) -> str:
    """The family of a strategy by its name or file, or one on record: a slip of the pen must not guard nothing."""
    from data.errors import UsageError
    from data.postgres import connect
    from orchestration.cli.strategies import library, strategy_class
    from research.records.inputs import family_of

    if name.endswith(".py") or name.lower().replace("-", "_") in library():
        return family_of(strategy_class(name))
    family = name.lower()
    with connect() as connection:
        known = connection.execute(
            "select from research_runs where family = %(family)s union all "
            "select from holdouts where family = %(family)s limit 1",
            {"family": family},
        ).fetchone()
    if known is None:
        raise UsageError(
            f"no strategy and no family on record is called {name!r}",
            f"Use the path of its file, or one of: {', '.join(library())}.",
        )
    return family


def _sharpe(statistics: dict[str, Any]) -> float | None:
    best = statistics.get("best")
    found = (best if isinstance(best, dict) else statistics).get("sharpe")
    return float(found) if found is not None else None


def _pairs(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
