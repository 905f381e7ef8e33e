"""From what was promoted to strategies that may run: every byte is verified before any of it is executed."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from data import artifacts, query
from data.artifacts import Artifact, Manifest
from data.errors import Refused
from data.postgres import connect
from data.registry import versions
from execution.core import book
from execution.core.book import Book, Owner
from execution.strategy import CostModel, Portfolio, Strategy, load_strategy

TIMING = "next_open"  # the only timing that execution knows so far


@dataclass(frozen=True, slots=True)
class Promoted:
    """A strategy that may trade: its verified artifact, and the strategy made from it."""

    name: str  # crossover@3
    artifact: Artifact
    strategy: Strategy | Portfolio

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
    """The books of a version, with its capital."""
    manifest = promoted.manifest
    owner = Owner(account, promoted.artifact.hash, manifest.strategy)
    return book.books_of(promoted.strategy, owner, manifest.universe, manifest.capital)


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
    for one in promoted:
        if one.costs != promoted[0].costs:
            raise Refused(
                f"{promoted[0].name} and {one.name} were researched with different costs and cannot share an account",
                "Retire one of them: `./slipway promote VERSION --to retired`.",
            )
    return promoted[0].costs
