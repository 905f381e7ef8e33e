"""What an account trades: strategies with their capital and costs, wherever they come from.

From the registry every byte is verified before any of it is executed.  From a file nothing is promised but what the
file says.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Protocol

import polars as pl

from data import artifacts, query
from data.artifacts import Artifact
from data.errors import Refused
from data.postgres import connect
from data.registry import Stage, versions
from execution.core import book
from execution.core.book import Book, Owner
from execution.strategy import CostModel, Portfolio, Strategy, load_strategy, strategy_source

TIMING: Final = "next_open"  # the only timing that execution knows so far


@dataclass(frozen=True, slots=True)
class Deployment:
    """A strategy that may trade."""

    name: str  # crossover@3
    hash: str
    """what its orders are named by"""
    family: str
    strategy: Strategy | Portfolio
    universe: tuple[str, ...]
    source: str
    timeframe: str
    capital: float
    costs: CostModel
    anchor: date
    """where its features begin"""

    def books(self, account: str) -> list[Book]:
        """Its books, with its capital."""
        owner = Owner(account, self.hash, self.family)
        return book.books_of(self.strategy, owner, self.universe, self.capital)

    def history(self, last: date, as_of: int | None = None) -> pl.DataFrame:
        """The universe's bars from the anchor to `last`."""
        return query.read(self._pieces(self.anchor, last, as_of))

    def must_have_bars(self, first: date, last: date) -> None:
        """There must be bars to trade, before anything is opened for them."""
        self._pieces(first, last)

    def _pieces(self, first: date, last: date, as_of: int | None = None) -> Any:
        return query.find(self.universe, self.timeframe, first, last, source=self.source, as_of=as_of)


class StrategySource(Protocol):
    """Where deployments come from."""

    def deployments(self) -> list[Deployment]:
        """What is to be traded now; Refused where it may not be."""
        ...

    def may_open(self) -> Collection[str]:
        """The hashes of what may open positions as of now: somebody may have retired one since it was loaded."""
        ...


@dataclass(frozen=True, slots=True)
class FromRegistry:
    """Every version on a stage."""

    stage: Stage = "paper"

    def deployments(self) -> list[Deployment]:
        with connect() as connection:
            found = versions(connection, self.stage)
        if not found:
            raise Refused(
                f"no version is promoted to {self.stage}",
                f"Promote one: `./slipway promote STRATEGY --to {self.stage}`.",
            )
        return [load(str(version), version.artifact_hash) for version in found]

    def may_open(self) -> Collection[str]:
        with connect() as connection:
            return {version.artifact_hash for version in versions(connection, self.stage)}


@dataclass(frozen=True, slots=True)
class FromFile:
    """A strategy as it stands in a file, for trying it out."""

    strategy: Strategy | Portfolio
    universe: Sequence[str]
    anchor: date
    source: str = "synthetic"
    timeframe: str = "1m"
    capital: float = 100_000.0
    costs: CostModel = field(default_factory=CostModel)

    def deployments(self) -> list[Deployment]:
        told = [strategy_source(type(self.strategy)), sorted(self.strategy.params().items()), self.universe]
        name = type(self.strategy).__name__
        return [
            Deployment(
                name=name,
                hash=f"file-{hashlib.sha256(repr(told).encode()).hexdigest()}",
                family=name.lower(),
                strategy=self.strategy,
                universe=tuple(self.universe),
                source=self.source,
                timeframe=self.timeframe,
                capital=self.capital,
                costs=self.costs,
                anchor=self.anchor,
            )
        ]

    def may_open(self) -> Collection[str]:
        return {deployed.hash for deployed in self.deployments()}


def load(name: str, artifact_hash: str) -> Deployment:
    """Verify an artifact, then make its strategy: nothing of it runs before all of it is proved."""
    return deployment_of(name, artifacts.load(artifact_hash))


def deployment_of(name: str, artifact: Artifact) -> Deployment:
    """The strategy of an artifact that is verified."""
    manifest = artifact.manifest
    if manifest.timing != TIMING:
        raise Refused(
            f"{name} was researched with the timing {manifest.timing!r}",
            f"Execution trades {TIMING!r} only; research it with that.",
        )
    costs = manifest.costs
    return Deployment(
        name=name,
        hash=artifact.hash,
        family=manifest.strategy,
        strategy=load_strategy(artifact.strategy_source, manifest.class_name)(**manifest.params),
        universe=tuple(manifest.universe),
        source=manifest.source,
        timeframe=manifest.timeframe,
        capital=manifest.capital,
        costs=CostModel(costs.slippage_bps, costs.commission_bps, costs.commission_min),
        anchor=date.fromisoformat(manifest.anchor),
    )


def common_terms(deployed: Sequence[Deployment]) -> tuple[CostModel, str, str]:
    """(costs, source, timeframe) of an account, and the assurance that these strategies may share them."""
    first = deployed[0]
    for other in deployed:
        differ = _terms(first).items() - _terms(other).items()
        if differ:
            raise Refused(
                f"{first.name} and {other.name} were researched with different {min(differ)[0]} and cannot share an "
                "account",
                "Retire one of them: `./slipway promote VERSION --to retired`.",
            )
    return first.costs, first.source, first.timeframe


def _terms(deployed: Deployment) -> Mapping[str, Any]:
    return {"costs": deployed.costs, "bars": (deployed.source, deployed.timeframe)}
