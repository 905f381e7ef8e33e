"""Overfitting, purged paths and independent trials, against loops that a reader can check by eye."""

from itertools import combinations

import numpy as np
import pytest

from research.statistics.sums import FloatArray
from research.validation.cross_validation import purged_paths
from research.validation.effective_trials import effective_trials
from research.validation.neighbourhood import neighbourhood
from research.validation.overfitting import overfitting


def sums(returns: FloatArray, blocks: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(counts, totals, squares) of equal blocks."""
    parts = returns.reshape(len(returns), blocks, -1)
    return np.full(blocks, float(parts.shape[2])), parts.sum(axis=2), np.square(parts).sum(axis=2)


def noise(sets: int, bars: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (sets, bars))


def test_overfitting_is_what_a_plain_loop_finds() -> None:
    returns, groups = noise(7, 240), 8
    parts = returns.reshape(7, groups, -1)
    ranks, losses = [], []
    for half in combinations(range(groups), groups // 2):
        rest = [group for group in range(groups) if group not in half]
        here, there = (parts[:, list(side)].reshape(7, -1) for side in (half, rest))
        inside, outside = (side.mean(axis=1) / side.std(axis=1, ddof=1) for side in (here, there))
        best = int(inside.argmax())
        ranks.append((sorted(outside).index(outside[best]) + 1) / 8)
        losses.append(outside[best] < 0.0)
    found = overfitting(*sums(returns, groups), groups=groups)
    assert found is not None
    assert found.logits.size == 70
    assert found.probability == pytest.approx(np.mean(np.array(ranks) <= 0.5))
    assert found.loss_probability == pytest.approx(np.mean(losses))


@pytest.mark.full
def test_noise_is_overfitted_half_of_the_time_and_skill_never() -> None:
    found = [overfitting(*sums(noise(20, 480, seed), 16)) for seed in range(25)]
    assert np.mean([each.probability for each in found if each]) == pytest.approx(0.5, abs=0.1)
    skilled = noise(20, 480)
    skilled[3] += 0.01
    best = overfitting(*sums(skilled, 16))
    assert best is not None
    assert best.probability == 0.0


def test_too_little_to_combine_says_nothing() -> None:
    assert overfitting(*sums(noise(1, 160), 16)) is None
    assert overfitting(*sums(noise(5, 30), 3)) is None
    assert purged_paths(*sums(noise(5, 60), 12), 0) is None


@pytest.mark.full
def test_no_set_is_chosen_on_what_it_is_tested_on() -> None:
    # Each set made its money in one fold and lost elsewhere: chosen honestly, a held-out fold always loses.
    returns = np.full((10, 400), -0.001) + noise(10, 400) * 1e-3
    for fold in range(10):
        returns[fold, fold * 40 : (fold + 1) * 40] = 0.01
    found = purged_paths(*sums(returns, 100), 0, embargo=0.0)
    assert found is not None
    assert found.sharpe.size == 9
    assert (found.sharpe < 0.0).all()


def test_a_purge_leaves_less_to_choose_on() -> None:
    returns = noise(5, 400) * 0.1
    free = purged_paths(*sums(returns, 100), 0, embargo=0.0)
    purged = purged_paths(*sums(returns, 100), 4, embargo=0.01)
    assert free is not None
    assert purged is not None
    assert purged.purge_bars == 4
    assert purged.trained < free.trained


@pytest.mark.parametrize("purge_bars", range(0, 400, 13))
def test_however_long_the_purge_there_are_paths_or_none(purge_bars: int) -> None:
    found = purged_paths(*sums(noise(5, 400), 100), purge_bars)
    assert found is not None
    assert np.isfinite(found.sharpe).all()
    assert (found.sharpe.size > 0) == (purge_bars <= 4 * 22), (
        "four folds of 25 blocks hold a purge of 22 and an embargo"
    )


@pytest.mark.parametrize(("independent", "copies"), [(1, 30), (20, 1), (20, 10)])
def test_copies_are_no_trials(independent: int, copies: int) -> None:
    returns = np.repeat(noise(independent, 2400), copies, axis=0)
    counts, totals, _ = sums(returns, 240)
    assert effective_trials(counts, totals) == pytest.approx(independent, rel=0.3)


def test_sets_that_never_trade_are_no_trials() -> None:
    counts, totals, _ = sums(np.zeros((5, 480)), 240)
    assert effective_trials(counts, totals) == 0.0


def test_a_plateau_is_told_from_a_spike() -> None:
    import polars as pl

    grid = pl.DataFrame([{"a": a, "b": b} for a in range(5) for b in range(5)])
    plateau = np.full(25, 0.9)
    plateau[12] = 1.0
    spike = np.full(25, -0.2)
    spike[12] = 3.0
    flat, high = neighbourhood(grid, plateau, 12), neighbourhood(grid, spike, 12)
    assert flat is not None
    assert high is not None
    assert (flat.neighbours, flat.positive, flat.median_ratio) == (24, 1.0, pytest.approx(0.9))
    assert high.positive == 0.0
    assert neighbourhood(grid, -plateau, 12) is None
    assert neighbourhood(grid.head(1), plateau[:1], 0) is None
