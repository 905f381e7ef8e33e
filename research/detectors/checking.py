"""A strategy put through every detector."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from data.errors import SlipwayError, UsageError
from data.notebook_bar import notebook_bar
from data.progress import Progress, silent
from execution.strategy import Portfolio, Strategy
from execution.strategy.arrays import BarArrays, FloatArray
from execution.strategy.rule import check_made
from research.backtest import Backtest, run_backtest
from research.detectors.decisions import Columns, holdings, situations, targets
from research.detectors.findings import Finding, Severity, StrategyCheck
from research.detectors.hindsight import changed_orders
from research.detectors.histories import cut_points, frame_of, history_of
from research.detectors.live_form import Disagreement, disagreements
from research.detectors.look_ahead import Leak, look_ahead
from research.detectors.practice import practice_market
from research.detectors.readings import read
from research.detectors.settling import settling
from research.detectors.structure import decides, holes, impurities, made_of
from research.detectors.warm_up import FeatureWarmUp, late_starts, warm_up
from research.passes.books import books_of, check_bars

BARS_MAX: Final = 50_000
CELLS_MAX: Final = 2_000_000
"""The newest bars of each symbol, and of all symbols, that are looked at: a leak shows in a few weeks."""

SYMBOLS_MAX: Final = 3
"""features are the same code for every symbol; decisions are checked on all"""

BARS_MIN: Final = 10

ORDER_CUTS: Final = 8

STAGES: Final = ("look-ahead", "live form", "warm-up", "orders", "decisions")


def check_strategy(
    strategy: Strategy | Portfolio, bars: pl.DataFrame | None = None, *, progress: Progress | None = None
) -> StrategyCheck:
    """Does it look ahead, is it the same live, how long does it warm up, and what does it decide?

    Without bars it is checked on a made-up market of four weeks of minutes, a Portfolio on two symbols of it.  What no
    check of a strategy sees: bars that themselves know the future (restated prices, symbols chosen afterwards), and a
    rule that was chosen by its results, which is what validation is for.  `progress` hears of every stage; notebooks
    show it by themselves.
    """
    check_made(strategy)
    if bars is None:
        bars = practice_market(("AAA", "BBB") if isinstance(strategy, Portfolio) else ("AAA",))
    check_bars(bars)
    history = history_of(bars, min(BARS_MAX, CELLS_MAX // bars["symbol"].n_unique()))
    books_of(frame_of(history))  # refuses bars that cannot be traded on
    longest = max(len(each) for each in history.values())
    if longest < BARS_MIN:
        raise UsageError(
            f"{longest} bars are too few to check a strategy on", "Ask for some weeks of them, or give none."
        )
    check = _Check(strategy, history, progress or notebook_bar() or silent)
    if sum(len(each) for each in history.values()) < len(bars):
        check.findings.append(
            Finding("bars", "note", f"only the newest {longest:,} bars of each symbol were looked at")
        )
    return check.result()


class _Check:
    """The detectors one after the other; what one of them finds spares the next ones what follows from it."""

    def __init__(
        self, strategy: Strategy | Portfolio, history: Mapping[str, BarArrays], told: Progress
    ) -> None:
        self.strategy, self.history, self.told = strategy, history, told
        self.features = strategy.feature_specs()
        self.random = np.random.default_rng(0)
        by_length = sorted(history, key=lambda symbol: -len(history[symbol]))
        self.looked_at = sorted(by_length[:SYMBOLS_MAX])
        self.main = by_length[0]
        self.cuts = {symbol: cut_points(history[symbol], self.random) for symbol in self.looked_at}
        self.starts = late_starts(history[self.main], self.random)
        self.findings: list[Finding] = []
        self.warm: tuple[FeatureWarmUp, ...] = ()
        self.warm_up_bars: int | None = None

    def result(self) -> StrategyCheck:
        self.findings += made_of(self.strategy)
        remade = type(self.strategy)(**self.strategy.params()).feature_specs()
        impure = list(impurities(self.features, remade, self.history[self.main]))
        self.findings += impure
        if not impure:
            self.findings.append(Finding("purity", "pass", "every feature is a function of the bars alone"))
        if all(each.severity != "fail" for each in impure):
            self._look()
        self.told(len(STAGES), len(STAGES), "done")
        return StrategyCheck(
            strategy=self.strategy,
            symbols=tuple(self.history),
            bars=sum(len(each) for each in self.history.values()),
            findings=tuple(self.findings),
            warm_up_bars=self.warm_up_bars,
            warm_up=self.warm,
        )

    def _look(self) -> None:
        self._begin("look-ahead")
        leaking = self._leaks()
        self._begin("live form")
        self._live_forms(leaking)
        self._begin("warm-up")
        columns = {symbol: read(self.features, bars).columns for symbol, bars in self.history.items()}
        self.findings += holes(columns[self.main])
        self._feature_warm_up(leaking)
        self._begin("orders")
        try:
            done = run_backtest(self.strategy, frame_of(self.history))
        except SlipwayError as error:
            self.findings.append(Finding("backtest", "fail", error.what, fix=error.fix))
            return
        self._orders(done, leaking)
        self._begin("decisions")
        try:
            self._decisions(done, columns, leaking)
        except SlipwayError as error:
            self.findings.append(Finding("decisions", "fail", error.what, fix=error.fix))

    def _begin(self, stage: str) -> None:
        done, total = STAGES.index(stage), len(STAGES)
        self.told(done, total, f"{stage}, step {done + 1} of {total}")

    def _leaks(self) -> list[str]:
        leaks: dict[str, Leak] = {}
        raised: dict[str, tuple[int, str]] = {}
        for symbol in self.looked_at:
            found = look_ahead(self.features, self.history[symbol], self.cuts[symbol], symbol)
            for name, leak in found.leaks.items():
                if name not in leaks or (leaks[name].rounding and not leak.rounding):
                    leaks[name] = leak
            raised |= found.raised
        for name, leak in leaks.items():
            severity: Severity = "note" if leak.rounding else "fail"
            self.findings.append(Finding("look-ahead", severity, leak.evidence(), name, leak.fix()))
        for name, (bars, why) in raised.items():
            self.findings.append(
                Finding(
                    "short history",
                    "fail",
                    f"on {bars:,} bar{'s' if bars > 1 else ''} alone it fails: {why}",
                    name,
                    "Let it give NaN where it has too little.",
                )
            )
        clean = [name for name in self.features if name not in leaks]
        if clean:
            cuts = sum(len(cuts) for cuts in self.cuts.values())
            said = f"no value changes when the future of {cuts} bars is missing or different"
            self.findings.append(Finding("look-ahead", "pass", said, ", ".join(clean)))
        return [name for name, leak in leaks.items() if not leak.rounding]

    def _live_forms(self, leaking: Sequence[str]) -> None:
        differing: dict[str, Disagreement] = {}
        for symbol in self.looked_at:
            found = disagreements(self.features, self.history[symbol], self.cuts[symbol], symbol)
            differing = found | differing
        for name, each in differing.items():
            why, fix = _who_is_wrong(name, each, leaking, exact=self.features[name].exact)
            self.findings.append(Finding("live form", "fail", f"{each.evidence()}; {why}", name, fix))
        same = [name for name in self.features if name not in differing]
        if same:
            said = "bar by bar, restarts included, they say what they said in research"
            self.findings.append(Finding("live form", "pass", said, ", ".join(same)))

    def _feature_warm_up(self, leaking: Sequence[str]) -> None:
        looked_at = {name: each for name, each in self.features.items() if name not in leaking}
        found = warm_up(looked_at, self.history[self.main], self.starts)
        self.warm = tuple(found.values())
        at_once = [each.feature for each in self.warm if each.exact == 1]
        if at_once:
            self.findings.append(Finding("warm-up", "pass", "none is needed", ", ".join(at_once)))
        for each in self.warm:
            if each.exact != 1:
                self.findings.append(
                    Finding("warm-up", _WARM_UP[each.settles], each.evidence(), each.feature, each.fix())
                )

    def _orders(self, done: Backtest, leaking: Sequence[str]) -> None:
        cuts = [each for each in self.cuts[self.main] if each >= len(self.history[self.main]) // 20]
        chosen = np.unique(np.linspace(0, len(cuts) - 1, min(ORDER_CUTS, len(cuts))).astype(int))
        instants = [int(self.history[self.main].ts_us[cuts[place]]) for place in chosen]
        changed = changed_orders(self.strategy, done, self.history, instants)
        inexact = [name for name, feature in self.features.items() if not feature.exact]
        if changed is not None and inexact and not leaking:
            why = f"It turns on the last digits of {', '.join(inexact)}: write it with @bar_by_bar before you publish."
            self.findings.append(Finding("orders", "note", changed.evidence(), fix=why))
        elif changed is not None:
            why = f"Correct what looks ahead: {', '.join(leaking)}." if leaking else _OUR_FAULT
            self.findings.append(Finding("orders", "fail", changed.evidence(), fix=why))
        elif done.orders.height:
            said = f"no order before {len(instants)} bars changes when what comes after them does"
            self.findings.append(Finding("orders", "pass", said))

    def _decisions(self, done: Backtest, columns: Columns, leaking: Sequence[str]) -> None:
        held = holdings(done.orders, self.history)
        asked = situations(self.strategy, self.history, columns)
        every = np.ones(len(asked.ts_us), dtype=np.bool_)
        decided = targets(self.strategy, asked, held, self.history, every)
        self.findings.append(decides(done, decided, int(asked.present.sum())))
        if not leaking:
            self._decision_warm_up(columns, held, decided)

    def _decision_warm_up(
        self, columns: Columns, held: Mapping[str, FloatArray], decided: FloatArray
    ) -> None:
        ts_us = self.history[self.main].ts_us
        begins = [int(ts_us[start]) for start in self.starts]
        needed = max((each.close or 1 for each in self.warm), default=1)
        found = settling(self.strategy, self.history, columns, held, decided, begins, needed)
        slow = [each.feature for each in self.warm if each.close is None]
        if not found.depends and all(each.settles != "too long" for each in self.warm):
            self.warm_up_bars = max(found.bars, needed)
        severity: Severity = "pass"
        fix = ""
        if found.depends:
            forgets = all(each.settles != "never" for each in self.warm)
            severity = "note" if forgets else "fail"
            fix = f"It comes from {', '.join(slow)}: see there." if slow else ""
        self.findings.append(Finding("warm-up of decisions", severity, found.evidence(), fix=fix))
        if found.ties:
            many = f"{found.ties:,} decisions turn" if found.ties > 1 else "1 decision turns"
            self.findings.append(
                Finding(
                    "ties",
                    "note",
                    f"{many} on a feature's last digits, which depend on where the data begins",
                    fix="Live starts where research did, so it decides the same; better is a small band around it.",
                )
            )


_OUR_FAULT: Final = (
    "No feature looks ahead, so the fault is not the strategy's: please report it with the strategy."
)

_WARM_UP: Final[Mapping[str, Severity]] = {
    "exactly": "pass", "closely": "pass", "roughly": "note", "slowly": "note", "never": "note", "too long": "fail",
}  # fmt: skip


def _who_is_wrong(name: str, each: Disagreement, leaking: Sequence[str], *, exact: bool) -> tuple[str, str]:
    if name in leaking:
        return "research looked ahead, which live cannot", "Correct the look-ahead first."
    if each.raised:
        return "live would stop there", "Let it give NaN where it has too little."
    if exact:
        return (
            "research does not look ahead, so one of its two forms is wrong",
            "Let both do the same arithmetic.",
        )
    why = "live it sees its lookback and no bar that is still to come, which is too little"
    return why, "Give it a longer lookback, and let no part of it need the next bar."
