"""A strategy is plain Python, and what is wrong with one is said in a sentence when it is made."""

import subprocess
import sys
from typing import Any

import pytest

from data.errors import UsageError
from execution.strategy import Portfolio, Strategy, load_strategy, macd, param, sma
from execution.strategy.position import FLAT


class Crossing(Strategy):
    fast = param(3, low=2, high=60)
    slow = param(5, low=3, high=240)
    mode = param("long", choices=("long", "both"))
    weight = param(1.0, low=0.0, high=2.0)

    def features(self) -> Any:
        return {"fast": sma("close", self.fast), "slow": sma("close", self.slow)}

    @staticmethod
    def decide(x: Any, position: Any) -> float:
        return 1.0 if x.fast > x.slow else 0.0


def test_parameters_have_defaults_and_keep_the_type_of_their_default() -> None:
    made = Crossing(fast=4.0, weight=2)
    assert made.params() == {"fast": 4, "slow": 5, "mode": "long", "weight": 2.0}
    assert isinstance(made.fast, int)
    assert isinstance(made.weight, float)
    assert repr(made) == "Crossing(fast=4, slow=5, mode='long', weight=2.0)"


def test_equal_strategies_are_equal_and_features_are_hashable() -> None:
    assert Crossing(fast=4) == Crossing(fast=4)
    assert Crossing(fast=4) != Crossing(fast=6)
    assert len({Crossing(fast=4), Crossing(fast=4), Crossing(fast=6)}) == 2
    assert sma("close", 5) in set(Crossing().feature_specs().values())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"fast": 1}, "Crossing.fast is 1, out of bounds. Use a value from 2 to 60."),
        ({"fast": 2.5}, "Crossing.fast is 2.5, not a whole number"),
        ({"fast": "4"}, "Crossing.fast is '4', not a whole number"),
        ({"fast": True}, "Crossing.fast is True, not a whole number"),
        ({"weight": float("nan")}, "Crossing.weight is nan, not a number"),
        ({"mode": "short"}, "Crossing.mode is 'short', which is not a choice. Use one of: 'long', 'both'."),
        ({"fsat": 3}, "Crossing has no parameter 'fsat'. Its parameters are: fast, slow, mode, weight."),
    ],
)
def test_a_parameter_that_is_not_allowed_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match="^" + says.replace("(", r"\(").replace(".", r"\.")):
        Crossing(**values)


def test_a_strategy_does_not_change_once_made() -> None:
    made = Crossing()
    with pytest.raises(UsageError, match=r"Make another: Crossing\(fast=9\)"):
        made.fast = 9


def test_a_parameter_with_impossible_bounds_is_refused_where_it_is_written() -> None:
    with pytest.raises(UsageError, match="upside down"):
        param(5, low=9, high=1)
    with pytest.raises(UsageError, match="out of bounds"):
        param(50, low=1, high=9)
    with pytest.raises(UsageError, match="has no choices"):
        param("long")


def test_decide_must_be_static_with_the_arguments_it_gets() -> None:
    with pytest.raises(UsageError, match="Write @staticmethod above it"):

        class _Bound(Strategy):
            def decide(self, x: Any) -> float:
                return 1.0

    with pytest.raises(UsageError, match=r"Write decide\(x\) or decide\(x, position\)"):

        class _Many(Strategy):
            @staticmethod
            def decide(x: Any, position: Any, clock: Any) -> float:
                return 1.0


def test_features_that_are_no_features_are_refused() -> None:
    class Numbers(Crossing):
        def features(self) -> Any:
            return {"fast": 10, "slow": 20}

    class Unnamed(Crossing):
        def features(self) -> Any:
            return {"moving average": sma("close", 10)}

    with pytest.raises(UsageError, match=r"\['fast'\] is 10, which is not a feature"):
        Numbers()
    with pytest.raises(UsageError, match="names a feature 'moving average'"):
        Unnamed()
    with pytest.raises(UsageError, match="reads the column 'clos', which bars do not have"):
        sma("clos", 10)
    with pytest.raises(UsageError, match="sma was given the period 0"):
        sma("close", 0)

    class Whole(Crossing):
        def features(self) -> Any:
            return {"fast": macd("close"), "slow": sma("close", 20)}

    with pytest.raises(UsageError, match=r"is all of a Macd, .* Pick one of its outputs: \.macd, \.signal"):
        Whole()


class Ordered(Crossing):
    def refused(self) -> str | None:
        return None if self.fast < self.slow else "fast is not below slow"


def test_parameters_that_make_no_sense_together_are_refused_with_the_reason() -> None:
    assert Ordered(fast=3, slow=4).refused() is None
    with pytest.raises(
        UsageError, match=r"Ordered\(fast=5, slow=5, .*\) makes no sense: fast is not below slow"
    ):
        Ordered(fast=5, slow=5)


def test_feature_names_may_not_depend_on_parameters() -> None:
    class Shifting(Crossing):
        def features(self) -> Any:
            return {f"average{self.fast}": sma("close", self.fast), "slow": sma("close", self.slow)}

        @staticmethod
        def decide(x: Any) -> float:
            return 1.0 if x.slow > 1.0 else 0.0

    Shifting(fast=3)
    with pytest.raises(UsageError, match="names other features for other parameters"):
        Shifting(fast=4)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("return 1.0 if x.fasst > 0 else 0.0", "x.fasst is not a feature; features() names fast, slow"),
        ("return unknown_name * 2.0", "name 'unknown_name' is not defined"),
        ("return open('/etc/passwd').fileno()", "line "),
        ("return 'long'", "not a number on every path"),
        ("return 1.0 if x.fast > x.slow else None", "not a number on every path"),
    ],
)
def test_a_decide_that_cannot_be_compiled_says_line_and_cause(rule: str, says: str, tmp_path: Any) -> None:
    text = (
        "from execution.strategy import Strategy, sma\n\n\n"
        "class Broken(Strategy):\n"
        "    def features(self):\n"
        "        return {'fast': sma('close', 2), 'slow': sma('close', 3)}\n\n"
        "    @staticmethod\n"
        "    def decide(x):\n"
        f"        {rule}\n"
    )
    (tmp_path / "broken.py").write_text(text)
    broken = load_strategy(tmp_path / "broken.py")
    with pytest.raises(UsageError) as raised:
        broken()
    assert says in str(raised.value)
    if "number" not in says:
        assert "line 10: " in str(raised.value)


def test_decide_is_compiled_once_and_integers_and_booleans_become_targets() -> None:
    class Flag(Crossing):
        @staticmethod
        def decide(x: Any) -> bool:
            return x.fast > x.slow

    assert Crossing(fast=4)._compiled is Crossing(fast=6)._compiled
    decide, inputs = Flag.compiled(), Flag.inputs()
    assert decide(inputs(2.0, 1.0), FLAT) == 1.0
    assert type(decide(inputs(1.0, 2.0), FLAT)) is float


def test_a_portfolio_says_what_it_lacks_and_a_file_may_hold_one() -> None:
    class Nothing(Portfolio):
        def features(self) -> Any:
            return {"fast": sma("close", 2)}

    with pytest.raises(
        UsageError, match=r"Nothing has no allocate. Write a static method allocate\(x, positions\)"
    ):
        Nothing()
    with pytest.raises(UsageError, match=r"takes other arguments .* Write allocate\(x, positions\)"):

        class _Alone(Portfolio):
            @staticmethod
            def allocate(x: Any) -> Any:
                return x.fast

    source = (
        "from execution.strategy import Portfolio, price\n\n\nclass Mine(Portfolio):\n"
        "    def features(self):\n        return {'close': price('close')}\n\n"
        "    @staticmethod\n    def allocate(x, positions):\n        return x.close * 0.0\n"
    )
    assert issubclass(load_strategy(source), Portfolio)


@pytest.mark.full
def test_importing_the_contract_loads_nothing_heavy() -> None:
    heavy = "numba", "pandas", "talib", "vectorbt", "matplotlib", "dagster"
    code = f"import sys, execution.strategy; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.full
def test_deciding_loads_no_pandas() -> None:
    code = (
        "import sys\n"
        "from execution.strategy import Decider, load_strategy\n"
        "strategy = load_strategy('research/strategies/crossover.py')()\n"
        "Decider(strategy).on_bar(1.0, 2.0, 0.5, 1.5, 100.0)\n"
        "assert 'talib' in sys.modules and 'numba' in sys.modules\n"
        "print('pandas' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_source_that_ends_the_process_is_one_that_cannot_be_loaded() -> None:
    with pytest.raises(UsageError, match="cannot be loaded: line 2: SystemExit"):
        load_strategy("import sys\nsys.exit(0)")
