"""From what was promoted to strategies that may run: every byte is verified before any of it is executed."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from data import artifacts, query
from data.artifacts import Artifact, Manifest
from data.errors import Refused
from data.postgres import connect
from data.registry import versions
from execution.core.book import Book
from execution.strategy import CostModel, Strategy, load_strategy

TIMING = "next_open"  # the only timing that execution knows so far


@dataclass(frozen=True, slots=True)
class Promoted:
    """A strategy that may trade: its verified artifact, and the strategy made from it."""

    name: str  # crossover@3
    artifact: Artifact
    strategy: Strategy

    @property
    def manifest(self) -> Manifest:
        return self.artifact.manifest

    @property
    def costs(self) -> CostModel:
        costs = self.manifest.costs
        return CostModel(costs.slippage_bps, costs.commission_bps, costs.commission_min)


def load(name: str, artifact_hash: str) -> Promoted:
    """Verify an artifact, then make its strategy: nothing of it runs before all of it is proved."""
    artifact = artifacts.load(artifact_hash)
    manifest = artifact.manifest
    if manifest.timing != TIMING:
        raise Refused(
            f"{name} was researched with the timing {manifest.timing!r}",
            f"Execution trades {TIMING!r} only; research it with that.",
        )
    strategy = load_strategy(artifact.strategy_source, manifest.class_name)(**manifest.params)
    if not isinstance(strategy, Strategy):
        raise Refused(
            f"{name} is a portfolio, and execution trades only strategies of one symbol so far",
            "Promote a strategy with decide.",
        )
    return Promoted(name, artifact, strategy)


def promoted_to_paper() -> list[Promoted]:
    """Every version on the stage paper."""
    with connect() as connection:
        found = versions(connection, "paper")
    if not found:
        raise Refused(
            "no version is promoted to paper", "Promote one: `./slipway promote STRATEGY --to paper`."
        )
    return [load(str(version), version.artifact_hash) for version in found]


def books_of(promoted: Promoted, account: str) -> list[Book]:
    """One book per symbol, each with its share of the capital."""
    manifest = promoted.manifest
    capital = manifest.capital / len(manifest.universe)
    return [
        Book(account, promoted.artifact.hash, manifest.strategy, symbol, promoted.strategy, capital)
        for symbol in manifest.universe
    ]


def check_range(promoted: list[Promoted], first: date, last: date) -> None:
    """There must be bars to trade, before anything is opened for them."""
    for one in promoted:
        manifest = one.manifest
        query.find(manifest.universe, manifest.timeframe, first, last, source=manifest.source)


def history(promoted: Promoted, last: date, as_of: int | None = None) -> pl.DataFrame:
    """The universe's bars from the artifact's anchor, where its features begin, to `last`."""
    manifest = promoted.manifest
    pieces = query.find(
        manifest.universe,
        manifest.timeframe,
        date.fromisoformat(manifest.anchor),
        last,
        source=manifest.source,
        as_of=as_of,
    )
    return query.read(pieces)


def common_costs(promoted: list[Promoted]) -> CostModel:
    """The cost model of an account, and the assurance that these strategies may share one."""
    owners: dict[str, str] = {}
    for one in promoted:
        if one.costs != promoted[0].costs:
            raise _cannot_share(one.name, promoted[0].name, "were researched with different costs")
        for symbol in one.manifest.universe:
            if symbol in owners:
                # nothing nets or attributes closing orders between strategies yet
                raise _cannot_share(one.name, owners[symbol], f"both trade {symbol}")
            owners[symbol] = one.name
    return promoted[0].costs


def _cannot_share(one: str, other: str, why: str) -> Refused:
    return Refused(
        f"{other} and {one} {why} and cannot share an account",
        "Retire one of them: `./slipway promote VERSION --to retired`.",
    )
