"""Research: the study's backtest, and the signed artifact that comes of it."""

import polars as pl
from dagster import (
    AssetExecutionContext,
    DataVersion,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from orchestration.assets.bars import bars
from orchestration.assets.pictures import picture, sparkline
from orchestration.resources import Lake
from orchestration.study import Study


@asset(deps=[bars], group_name="research", kinds={"numba"})
def backtests(
    context: AssetExecutionContext, lake: Lake, study: ResourceParam[Study]
) -> MaterializeResult[None]:
    """The best parameters of the study's sweep, backtested on its research sessions."""
    from research.backtest import backtest
    from research.reports import equity_svg, statistics_in_words

    seen = study.bars(lake.storage())
    ranked = study.ranked(seen)
    context.log.info(f"{ranked.height} parameter sets on {seen.height:,} bars")
    result = backtest(study.best(ranked), seen, capital=study.capital, costs=study.costs)
    statistics = "\n".join(f"| {name} | {value} |" for name, value in statistics_in_words(result))
    return MaterializeResult(
        metadata={
            "equity": picture(
                sparkline(_at_session_ends(result.equity)), "equity at the end of each session"
            ),
            "equity_chart": picture(equity_svg(result), "equity curve"),
            "statistics": MetadataValue.md(f"| | |\n|---|---:|\n{statistics}"),
            "strategy": repr(result.strategy),
            "symbols": list(result.symbols),
            "sessions": f"{study.first} to {study.last}",
            "bars": seen.height,
            "parameter_sets_tried": ranked.height,
            "orders": result.orders.height,
            "total_return": result.statistics["total_return"],
            "sharpe": result.statistics["sharpe"] or 0.0,
            "max_drawdown": result.statistics["max_drawdown"],
        }
    )


@asset(deps=[backtests], group_name="research", kinds={"artifact"})
def artifacts(
    context: AssetExecutionContext, lake: Lake, study: ResourceParam[Study]
) -> MaterializeResult[None]:
    """The study as a signed, content-addressed artifact: a candidate in the registry, promoted by people."""
    from research.publish import publish

    ranked = study.ranked(study.bars(lake.storage()))
    version, result = publish(
        study.best(ranked),
        list(study.symbols),
        study.first,
        study.last,
        capital=study.capital,
        costs=study.costs,
        trials=ranked.height,
        source=study.source,
        timeframe=study.timeframe,
    )
    context.log.info(f"{version} = {version.artifact_hash}")
    return MaterializeResult(
        data_version=DataVersion(version.artifact_hash),  # the same content is the same version
        metadata={
            "version": str(version),
            "artifact": version.artifact_hash,
            "stage": version.stage,
            "author": version.author,
            "params": version.manifest["params"],
            "universe": version.manifest["universe"],
            "sessions": f"{version.manifest['anchor']} to {version.manifest['last_session']}",
            "data_snapshot": version.manifest["snapshot"],
            "orders": result.orders.height,
            "trials": ranked.height,
        },
    )


def _at_session_ends(equity: pl.DataFrame) -> list[float]:
    ends = equity.sort("ts_utc").group_by(pl.col("ts_utc").dt.date(), maintain_order=True).last()
    return [equity["equity"][0], *ends["equity"]]
