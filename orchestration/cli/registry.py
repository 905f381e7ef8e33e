"""Publish, look at and promote versions; read the audit log."""

from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from orchestration.cli.render import JsonOption, show, show_one

app = typer.Typer()

VersionSpec = Annotated[
    str, typer.Argument(help="crossover@3, crossover for its newest, or the start of a hash.")
]
Day = typer.Option(formats=["%Y-%m-%d"], help="A date like 2026-09-30.")


@app.command()
def publish(
    strategy: Annotated[str, typer.Argument(help="A strategy's name or the path of its file.")],
    symbols: Annotated[list[str], typer.Argument(help="What it trades.")],
    start: Annotated[datetime, Day],
    end: Annotated[datetime, Day],
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="name=value, once for each.")
    ] = None,
    capital: Annotated[float, typer.Option(min=1.0, help="Shared evenly by the symbols.")] = 300_000.0,
    trials: Annotated[int, typer.Option(min=1, help="How many parameter sets were tried to get here.")] = 1,
    as_json: bool = JsonOption,
) -> None:
    """Backtest a strategy, sign the result and enter it in the registry as a candidate."""
    from orchestration.cli.strategies import params_of, strategy_class
    from research.publish import publish as publish_strategy

    family = strategy_class(strategy)
    chosen = family(**params_of(family, param or []))
    version, result = publish_strategy(
        chosen, symbols, start.date(), end.date(), capital=capital, trials=trials
    )
    show_one(
        {
            "version": str(version),
            "stage": version.stage,
            "artifact": version.artifact_hash,
            "orders": result.orders.height,
            "total_return": result.statistics["total_return"],
            "sharpe": result.statistics["sharpe"],
        },
        title=f"Published {version}",
        as_json=as_json,
    )


@app.command()
def versions(as_json: bool = JsonOption) -> None:
    """Every version, its stage and its gates."""
    from data import registry
    from data.postgres import connect

    with connect() as connection:
        rows: list[dict[str, Any]] = [
            {
                "version": str(version),
                "stage": version.stage,
                "gates": ", ".join(
                    f"{name} {found['verdict']}"
                    for name, found in registry.evidence(connection, version).items()
                )
                or "not measured",
                "params": " ".join(f"{name}={value}" for name, value in version.manifest["params"].items()),
                "universe": " ".join(version.manifest["universe"]),
                "author": version.author,
                "published_at": version.published_at,
                "artifact": version.artifact_hash if as_json else version.artifact_hash[:12],
            }
            for version in registry.versions(connection)
        ]
    show(
        rows,
        title="Versions",
        as_json=as_json,
        empty="Nothing is published yet. Publish with `./slipway publish`.",
    )


@app.command()
def gates(version: VersionSpec, as_json: bool = JsonOption) -> None:
    """Measure a version's gates now and show the numbers."""
    from data import registry
    from data.postgres import connect
    from research.gates import measure_parity

    with connect() as connection:
        found = registry.find(connection, version)
    parity = measure_parity(found)
    show(
        [
            {
                "gate": "parity",
                "verdict": "pass" if parity.holds else "fail",
                "research_orders": parity.research_orders,
                "execution_orders": parity.execution_orders,
                "matched": parity.matched,
                "differences": parity.differences.height,
            }
        ],
        title=f"Gates of {found}",
        as_json=as_json,
        empty="",
    )


@app.command()
def promote(
    version: VersionSpec,
    to: Annotated[Literal["paper", "live", "retired"], typer.Option(help="The stage.")] = "paper",
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")] = "",
    actor: Annotated[str, typer.Option(help="Who promotes.")] = "",
) -> None:
    """Move a version to a stage: its gates are measured first, and one that does not pass refuses."""
    from data import audit, registry
    from data.postgres import connect
    from research.gates import measure_parity

    with connect() as connection:
        found = registry.find(connection, version)
    if "parity" in registry.REQUIRED_GATES.get(to, ()):
        measure_parity(found)
    with connect() as connection:
        promoted = registry.promote(
            connection, found, to, actor=actor or audit.person(), reason=reason or f"promoted to {to}"
        )
    print(f"{promoted} is {promoted.stage}.")


@app.command()
def audit(as_json: bool = JsonOption) -> None:
    """The append-only log, after proving that nobody changed it."""
    from data import audit as log
    from data.postgres import connect

    with connect() as connection:
        log.verify(connection)
        rows = connection.execute(
            "select id, at, actor, action, subject, detail::text as detail from audit order by id"
        ).fetchall()
    show(rows, title="Audit log (chain verified)", as_json=as_json, empty="Nothing has happened yet.")
